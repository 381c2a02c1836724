package nfacct

import (
	"testing"

	"golang.org/x/sys/unix"

	"ulogd/plugins/input/netlink/nlattr"
)

func body(name string, packets, octets, quota uint64, flags uint32) []byte {
	b := []byte{0, 0, 0, 0}
	b = nlattr.Append(b, attrName, append([]byte(name), 0))
	b = nlattr.Append64(b, attrPackets, packets)
	b = nlattr.Append64(b, attrOctets, octets)
	if quota > 0 {
		b = nlattr.Append64(b, attrQuota, quota)
		b = nlattr.Append32(b, attrFlags, flags)
	}
	return nlattr.Append32(b, 4, 1) // NFACCT_USE, which no key carries
}

func TestDecode(t *testing.T) {
	k, ok := decode(body("http", 4, 376, 0, 0))
	if !ok || k.Name != "http" || k.Packets != 4 || k.Octets != 376 || k.Limited {
		t.Errorf("%+v", k)
	}
	if k, ok = decode(body("limit", 1, 2, 1000, 6)); !ok || !k.Limited || k.Quota != 1000 || k.Flags != 6 {
		t.Errorf("%+v", k)
	}
	whole := body("http", 4, 376, 1, 1)
	for i := range whole {
		if _, ok := decode(whole[:i]); ok && i < 40 { // quota, flags and uses may be missing
			t.Errorf("cut at %d of %d it still decodes", i, len(whole))
		}
	}
	long := body("0123456789012345678901234567890123", 1, 1, 0, 0)
	if _, ok := decode(long); ok {
		t.Error("a name longer than the kernel allows")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(body("http", 4, 376, 0, 0))
	f.Add(body("limit", 1, 2, 1000, unix.NLM_F_ACK))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, ok := decode(b); ok && len(k.Name) > mostName {
			t.Errorf("a name of %d octets", len(k.Name))
		}
	})
}
