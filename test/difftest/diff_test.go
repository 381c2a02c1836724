package difftest

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"ulogd/test/nstest"
)

// scenes are those in which each daemon reads a group.
var scenes = []struct {
	name string
	make func(t *testing.T) scene
}{
	{"Incoming", incoming},
	{"Outgoing", outgoing},
	{"Bridged", bridged},
	{"ARPFamily", resolving},
	{"NetdevFamily", ingress},
}

// compared counts the scenes that ran.
var compared int

func TestPackets(t *testing.T) {
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			compareGroups(t, s.make(t))
			compared++
		})
	}
}

// compareGroups runs a scene: each daemon reads a group.
func compareGroups(t *testing.T, s scene) {
	in := func(group int) input {
		return input{plugin: "NFLOG", settings: func(string, string) string {
			return fmt.Sprintf("group=%d\nseq_local=1\nnumeric_label=1", group)
		}}
	}
	d := startAll(t, s.home, all(s.without...), in(groups[0]), in(groups[1]), in(groups[2]))
	s.send(t)
	d.compare(t, s.kinds)
}

// all returns the outputs, some left out.
func all(without ...string) []output {
	return slices.DeleteFunc(slices.Clone(outputs), func(o output) bool { return slices.Contains(without, o.name) })
}

// TestUnixsockMessages hands each stack of each daemon the same messages.
func TestUnixsockMessages(t *testing.T) {
	nstest.Need(t, "root", "tool:/usr/sbin/ulogd", "tool:jq")
	in := input{plugin: "UNIXSOCK", own: true, settings: func(dir, output string) string {
		return "socket_path=\"" + filepath.Join(dir, "in-"+output) + "\""
	}}
	d := startAll(t, nstest.New(t), all("xml"), in, in, in)
	kinds := handed()
	for _, daemon := range []*daemon{d.theirs, d.likeTheirs, d.ours} {
		handOver(t, daemon, kinds)
	}
	d.compare(t, kinds)
}

// trio is the three daemons of a scene.
type trio struct{ theirs, likeTheirs, ours *daemon }

func startAll(t *testing.T, home *nstest.NS, outs []output, a, b, c input) trio {
	d := trio{
		startULOGD2(t, home, a, outs),
		startOurs(t, home, "compat", b, outs, `compat="ulogd2"`),
		startOurs(t, home, "default", c, outs),
	}
	for _, daemon := range []*daemon{d.theirs, d.likeTheirs, d.ours} {
		daemon.proc.WaitOutput("entering main loop", startTimeout)
	}
	return d
}

// compare holds the daemons' records against each other.
func (d trio) compare(t *testing.T, kinds []kind) {
	n := len(kinds)
	want, same, byDefault := d.theirs.records(t, n), d.likeTheirs.records(t, n), d.ours.records(t, n)
	d.likeTheirs.wellFormed(t, n)
	d.ours.wellFormed(t, n)
	for _, o := range d.theirs.outs {
		for i, k := range kinds {
			theirs := want[o.name][i]
			for _, field := range differing(o, theirs, same[o.name][i]) {
				if !explained(never, t.Name(), o.name, k.name, field) {
					t.Errorf("%s, %s: with compat %s differs:\n%s", o.name, k.name, field, sideBySide(theirs, same[o.name][i]))
				}
			}
			for _, field := range differing(o, theirs, byDefault[o.name][i]) {
				if !explained(never, t.Name(), o.name, k.name, field) && !explained(byCompat, t.Name(), o.name, k.name, field) {
					t.Errorf("%s, %s: by default %s differs, and no row says so:\n%s", o.name, k.name, field, sideBySide(theirs, byDefault[o.name][i]))
				}
			}
		}
	}
}

// sideBySide shows where two records differ, and a little before.
func sideBySide(theirs, ours string) string {
	same, tail := 0, 0
	for same < min(len(theirs), len(ours)) && theirs[same] == ours[same] {
		same++
	}
	for tail < min(len(theirs), len(ours))-same && theirs[len(theirs)-1-tail] == ours[len(ours)-1-tail] {
		tail++
	}
	from := max(0, same-30)
	return fmt.Sprintf("ulogd2: %q\nours:   %q", theirs[from:len(theirs)-tail], ours[from:len(ours)-tail])
}
