package nfct

import (
	"testing"

	"golang.org/x/sys/unix"

	"ulogd/plugins/input/netlink/nlattr"
	"ulogd/test/nstest"
)

// TestTrackingIsSeenWithoutATrace: the question whether connections are tracked is answered rightly,
// and nobody who follows the events is told of a connection.
func TestTrackingIsSeenWithoutATrace(t *testing.T) {
	nstest.Need(t, "root", "nf_conntrack")
	for _, tracks := range []bool{false, true} {
		ns := nstest.New(t)
		if tracks {
			nstest.EnableConntrack(t, ns)
		}
		ns.Do(t, func() {
			for _, ask := range []func() (bool, error){tracksAnything, noticesReply} {
				if got, err := ask(); err != nil || got != tracks {
					t.Errorf("tracked: %v, %v; want %v", got, err, tracks)
				}
			}
			if n, err := readSysctl("nf_conntrack_count"); err != nil || n != 0 {
				t.Errorf("%d connections were made: %v", n, err)
			}
		})
	}
}

func TestHookOfConntrack(t *testing.T) {
	hook := func(function, module string) []byte {
		b := nlattr.Append32([]byte{unix.AF_INET, 0, 0, 0}, 2, 0xffffff38) // NFNLA_HOOK_PRIORITY
		b = nlattr.Append(b, 4, []byte(function+"\x00"))                   // NFNLA_HOOK_FUNCTION_NAME
		return nlattr.Append(b, 5, []byte(module+"\x00"))                  // NFNLA_HOOK_MODULE_NAME
	}
	for _, c := range []struct {
		hook []byte
		want bool
	}{
		{hook("ipv4_conntrack_in", "nf_conntrack"), true},
		{hook("ipv6_conntrack_in", ""), true},
		{hook("ipv4_conntrack_defrag", "nf_defrag_ipv4"), false}, // TPROXY and sockets defragment, too
		{hook("nft_do_chain_ipv4", "nf_tables"), false},
		{nil, false},
		{[]byte{2, 0, 0, 0, 1}, false},
	} {
		if got := hooksConntrack(c.hook); got != c.want {
			t.Errorf("%q: %v", c.hook, got)
		}
	}
}
