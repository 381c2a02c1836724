package ifindex

import (
	"fmt"
	"testing"

	"ulogd/engine"
	"ulogd/plugins/filter/follow"
	"ulogd/plugins/input/netlink/nlattr"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// TestLinksFollowTheKernel: links made, renamed, bridged and removed, in another namespace than the
// test's.
func TestLinksFollowTheKernel(t *testing.T) {
	ns := nstest.New(t)
	nstest.Need(t, "veth")
	var l links
	f := follow.New("interfaces", &l, engine.StackInfo{Namespace: ns.Path()})
	if err := f.Open(&engine.Env{Stats: &engine.Stats{}}); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	expect := func(index uint32, want string) {
		t.Helper()
		nstest.Eventually(t, 5e9, func() error {
			f.Update()
			if name, _ := l.name(index); string(name) != want {
				return fmt.Errorf("index %d is %q, want %q", index, name, want)
			}
			return nil
		})
	}
	expect(1, "lo")
	ns.Run(t, "ip link add index 70 name first type veth peer name other")
	expect(70, "first")
	ns.Run(t, "ip link set first name second")
	expect(70, "second")
	ns.Run(t, "ip link add index 80 name br0 type bridge")
	ns.Run(t, "ip link set second master br0")
	ns.Run(t, "ip link set second nomaster") // the bridge family says that the link is deleted
	expect(80, "br0")
	f.Update()
	if at, _ := l.find(70); l.known[at].gone {
		t.Error("a link that left its bridge counts as removed")
	}
	ns.Run(t, "ip link del second")
	nstest.Eventually(t, 5e9, func() error {
		f.Update()
		if at, _ := l.find(70); !l.known[at].gone {
			return fmt.Errorf("the removed link is not known to be gone")
		}
		return nil
	})
	expect(70, "second") // packets that it carried may still come
	if _, ok := l.name(12345); ok {
		t.Error("a link that never was has a name")
	}
}

// TestManyLinksGone: the names of removed links do not pile up.
func TestManyLinksGone(t *testing.T) {
	var l links
	for i := range uint32(5 * maxGone) {
		l.set(i, []byte("veth"))
		l.remove(i)
	}
	if len(l.known) > maxGone || len(l.gone) > maxGone {
		t.Errorf("%d links and %d removed ones are kept", len(l.known), len(l.gone))
	}
	if _, ok := l.name(5*maxGone - 1); !ok {
		t.Error("the newest removed link is forgotten")
	}
}

func TestUnknownIndexes(t *testing.T) {
	rows := []map[string]string{
		{"oob.ifindex_in": "1", "oob.ifindex_out": "0"},
		{"oob.ifindex_in": "4000000", "oob.ifindex_out": "1"},
		{"oob.ifindex_out": "4000001"},
	}
	for compat, want := range map[string][]string{
		"none":   {"oob.in=lo oob.out=", "oob.in= oob.out=lo", "oob.in= oob.out="},
		"ulogd2": {"oob.in=lo oob.out=", "oob.in=lo oob.out=lo", "oob.in= oob.out=lo"},
	} {
		stacktest.Feed(t.Name()+compat, rows...)
		stacktest.Run(t, fmt.Sprintf(`stack = ["in:ROWS,i:IFINDEX,o:RECORD"]
[in]
feed = %q
[i]
compat = %q
[o]
name = %q
keys = ["oob.in", "oob.out"]`,
			t.Name()+compat, compat, t.Name()+compat))
		if got := stacktest.Recorded(t.Name() + compat); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("compat %s: got %q, want %q", compat, got, want)
		}
	}
}

// FuzzChange feeds what the kernel might say.
func FuzzChange(f *testing.F) {
	f.Add(uint16(16), []byte{0, 0, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 3, 0, 'l', 'o', 0, 0})
	f.Add(uint16(17), make([]byte, 16))
	f.Fuzz(func(t *testing.T, typ uint16, body []byte) {
		var l links
		l.Change(nlattr.Message{Type: typ, Body: body})
		l.Change(nlattr.Message{Type: typ, Body: body})
		if len(l.known) > 1 {
			t.Errorf("one message made %d links", len(l.known))
		}
	})
}
