package difftest

import (
	"fmt"
	"slices"
	"testing"
)

func TestIncomingPackets(t *testing.T) { compare(t, incoming(t)) }

// compare runs a scene and holds the three daemons' records against each other.
func compare(t *testing.T, s scene) {
	in := func(group int) input {
		return input{"NFLOG", fmt.Sprintf("group=%d\nseq_local=1\nnumeric_label=1", group)}
	}
	theirs := startULOGD2(t, s.home, in(groups[0]))
	likeTheirs := startOurs(t, s.home, "compat", in(groups[1]), `compat="ulogd2"`)
	ours := startOurs(t, s.home, "default", in(groups[2]))
	s.waitBound(t)
	s.send(t)
	n := len(s.kinds)
	want, same, byDefault := theirs.records(t, n), likeTheirs.records(t, n), ours.records(t, n)

	found := map[difference]bool{}
	for _, o := range outputs {
		for i, k := range s.kinds {
			if want[o.name][i] != same[o.name][i] && !never[k.name] {
				t.Errorf("%s, %s, with compat:\n%s", o.name, k.name, sideBySide(want[o.name][i], same[o.name][i]))
			}
			if want[o.name][i] == byDefault[o.name][i] {
				continue
			}
			d := difference{o.name, k.name}
			found[d] = true
			if !slices.Contains(listed(), d) {
				t.Errorf("%s, %s, by default, and no row says so:\n%s", o.name, k.name, sideBySide(want[o.name][i], byDefault[o.name][i]))
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

type difference struct{ output, kind string }

func listed() []difference { return nil }

var never = map[string]bool{}
