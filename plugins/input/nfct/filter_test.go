package nfct

import (
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/plugins/input/nfct/ctnetlink"
)

func TestFilter(t *testing.T) {
	conn := func(proto uint8, src, dst string, mark uint32, zone uint16) *ctnetlink.Flow {
		s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
		f := &ctnetlink.Flow{Family: unix.AF_INET, Mark: mark, Zone: zone}
		if s.Is6() {
			f.Family = unix.AF_INET6
		}
		f.Orig = ctnetlink.Tuple{Src: engine.AddrFrom(s), Dst: engine.AddrFrom(d), Proto: proto}
		return f
	}
	tcp4 := conn(6, "192.0.2.5", "198.51.100.1", 0x12, 0)
	udp6 := conn(17, "2001:db8::5", "2001:db8:1::1", 0, 7)
	for _, c := range []struct {
		name       string
		s          settings
		tcp4, udp6 bool
	}{
		{"none", settings{}, true, true},
		{"proto", settings{protoFilter: []string{"tcp", "SCTP"}}, true, false},
		{"proto number", settings{protoFilter: []string{"17"}}, false, true},
		{"src 4 only rejects 6", settings{srcFilter: []string{"192.0.2.0/24"}}, true, false},
		{"src 6 only rejects 4", settings{srcFilter: []string{"2001:db8::/32"}}, false, true},
		{"src both", settings{srcFilter: []string{"192.0.2.4/30", "2001:db8::5"}}, true, true},
		{"src misses", settings{srcFilter: []string{"192.0.2.6/31"}}, false, false},
		{"all of 6", settings{dstFilter: []string{"::/0"}}, false, true},
		{"all of 4", settings{dstFilter: []string{"0.0.0.0/0"}}, true, false},
		{"/64 and /65", settings{srcFilter: []string{"2001:db8:0:0::/64"}, dstFilter: []string{"2001:db8:1::/65"}}, false, true},
		{"src and dst", settings{srcFilter: []string{"192.0.2.0/24"}, dstFilter: []string{"10.0.0.0/8"}}, false, false},
		{"mark", settings{markFilter: []string{"0x12"}}, true, false},
		{"mark/mask", settings{markFilter: []string{"0x2/0xf", "9"}}, true, false},
		{"mark 0", settings{markFilter: []string{"0"}}, false, true},
		{"zone", settings{zoneFilter: []string{"7", "8"}}, false, true},
	} {
		f, err := newFilter(&c.s)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		for _, x := range []struct {
			flow *ctnetlink.Flow
			want bool
		}{{tcp4, c.tcp4}, {udp6, c.udp6}} {
			if got := f.tracks(x.flow) && f.acceptsMark(x.flow.Mark); got != x.want {
				t.Errorf("%s: protocol %d is accepted: %v", c.name, x.flow.Orig.Proto, got)
			}
		}
	}
}

func TestFilterErrors(t *testing.T) {
	for _, c := range []struct {
		s    settings
		want string
	}{
		{settings{srcFilter: []string{"192.0.2.0/33"}}, `accept_src_filter: "192.0.2.0/33" is no network`},
		{settings{dstFilter: []string{"fe80::1%eth0"}}, "accept_dst_filter: "},
		{settings{protoFilter: []string{"tpc"}}, `accept_proto_filter: unknown protocol "tpc"`},
		{settings{protoFilter: []string{"256"}}, "accept_proto_filter: "},
		{settings{markFilter: []string{"1/x"}}, "accept_mark_filter: "},
		{settings{zoneFilter: []string{"65536"}}, "accept_zone_filter: "},
	} {
		if _, err := newFilter(&c.s); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

func TestFilterTooLongForTheKernelStaysHere(t *testing.T) {
	var s settings
	for i := range 2000 {
		s.srcFilter = append(s.srcFilter, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String())
	}
	f, err := newFilter(&s)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := f.bpf(true); ok {
		t.Error("a program of more than 4096 instructions was made")
	}
	s.srcFilter = s.srcFilter[:100]
	if f, err = newFilter(&s); err != nil {
		t.Fatal(err)
	}
	if prog, ok := f.bpf(true); !ok || len(prog) < 500 {
		t.Errorf("%d instructions, %v", len(prog), ok)
	}
}

func TestSettings(t *testing.T) {
	ok := settings{hash: true, eventMask: 5}
	for _, c := range []struct {
		change func(*settings)
		want   string
	}{
		{func(*settings) {}, ""},
		{func(s *settings) { s.hashBuckets = -1 }, "hash_buckets: "},
		{func(s *settings) { s.hashMax = -1 }, "hash_max_entries: "},
		{func(s *settings) { s.bufferSize = -1 }, "netlink_socket_buffer_size: "},
		{func(s *settings) { s.pollInterval, s.hash = 1, false }, "pollinterval: "},
		{func(s *settings) { s.eventMask = 8 }, "event_mask: "},
		{func(s *settings) { s.eventMask = 1 }, "event_mask: "},
		{func(s *settings) { s.eventMask, s.hash = 1, false }, ""},
		{func(s *settings) { s.activeTimeout, s.hash = 1, false }, "active_timeout: "},
	} {
		n := &nfct{settings: ok}
		c.change(&n.settings)
		err := n.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}
