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
	var k counter
	if !k.decode(body("http", 4, 376, 0, 0)) || string(k.name) != "http" || k.packets != 4 || k.octets != 376 || k.limited {
		t.Errorf("%+v", k)
	}
	k = counter{}
	if !k.decode(body("limit", 1, 2, 1000, 6)) || !k.limited || k.quota != 1000 || k.flags != 6 {
		t.Errorf("%+v", k)
	}
	whole := body("http", 4, 376, 1, 1)
	for i := range whole {
		k = counter{}
		if k.decode(whole[:i]) && i < 40 { // quota, flags and uses may be missing
			t.Errorf("cut at %d of %d it still decodes", i, len(whole))
		}
	}
	long := body("0123456789012345678901234567890123", 1, 1, 0, 0)
	if k.decode(long) {
		t.Error("a name longer than the kernel allows")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(body("http", 4, 376, 0, 0))
	f.Add(body("limit", 1, 2, 1000, unix.NLM_F_ACK))
	f.Fuzz(func(t *testing.T, b []byte) {
		var k counter
		if k.decode(b) && len(k.name) > mostName {
			t.Errorf("a name of %d octets", len(k.name))
		}
	})
}
