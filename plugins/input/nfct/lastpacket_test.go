package nfct

import (
	"testing"

	"golang.org/x/sys/unix"
)

// usual are the kernel's defaults, as far as the test needs them.
func usual() (t timeouts) {
	t.tcp = [10]int64{0, 120 * second, 60 * second, 432000 * second, 120 * second, 60 * second, 30 * second, 120 * second, 10 * second, 0}
	t.tcpUnacknowledged, t.tcpRetrans = 300*second, 300*second
	t.udp, t.udpStream, t.icmp, t.generic = 30*second, 120*second, 30*second, 600*second
	t.sctp[4] = 210 * second
	return t
}

func TestLastPacket(t *testing.T) {
	tcp := func(state uint8, left uint32) flow {
		f := flow{tcpState: state, timeout: left, has: hasTCP, status: statusSeenReply | statusAssured}
		f.orig.proto = unix.IPPROTO_TCP
		return f
	}
	of := func(proto uint8, status, left uint32) flow {
		f := flow{status: status, timeout: left, sctpState: 4}
		f.orig.proto = proto
		return f
	}
	changed := lifetimes{{timeouts: usual()}}
	faster := usual()
	faster.udp = 3 * second
	changed = changed.change(faster, 999_990*second)
	const at = 1_000_000 // the end, in seconds
	for _, c := range []struct {
		name     string
		conn     flow
		since    int64
		when     int64 // 0: not known
		timeouts lifetimes
	}{
		{name: "FIN", conn: tcp(7, 0), since: 1, when: at - 120},
		{name: "RST", conn: tcp(8, 0), since: 1, when: at - 10},
		{name: "FIN of a short connection", conn: tcp(7, 0), since: at - 121, when: at - 120},
		{name: "a moment before its beginning", conn: tcp(7, 0), since: at - 119, when: at - 119},
		{name: "idle, deleted", conn: tcp(3, 431_900), since: 1, when: at - 100},
		{name: "peer gone, no dump", conn: tcp(3, 0), since: at - 4000, when: at - 300},
		{name: "more than the whole life of an idle one", conn: tcp(3, 0), since: 1, when: at - 432_000},
		{name: "the same, but a dump saw a packet", conn: tcp(3, 0), since: at - 1000, when: at - 300},
		{name: "both sides began", conn: tcp(9, 0), since: 1, when: at - 120},
		{name: "a state from elsewhere", conn: tcp(77, 0), since: 1},
		{name: "UDP", conn: of(17, statusSeenReply, 0), since: 1, when: at - 30},
		{name: "UDP, a stream", conn: of(17, statusAssured, 0), since: 1, when: at - 120},
		{name: "UDP, a stream, deleted", conn: of(17, statusAssured, 100), since: 1, when: at - 20},
		{name: "more left than any timeout", conn: of(17, 0, 31), since: 1},
		{name: "no timeout is short enough", conn: of(17, 0, 0), since: at - 10},
		{name: "set by hand", conn: of(17, statusFixedTimeout, 0), since: 1},
		{name: "in a flow table", conn: of(17, 1<<14, 0), since: 1},
		{name: "SCTP", conn: of(132, 0, 0), since: 1, when: at - 210},
		{name: "OSPF", conn: of(89, 0, 0), since: 1, when: at - 600},
		{name: "DCCP", conn: of(33, 0, 0), since: 1},
		{name: "before a change", conn: of(17, 0, 0), since: 1, when: at - 30, timeouts: changed},
		{name: "after a change", conn: of(17, 0, 0), since: at - 5, when: at - 3, timeouts: changed},
	} {
		l := c.timeouts
		if l == nil {
			l = lifetimes{{timeouts: usual()}}
		}
		when, known := l.last(&c.conn, at*second, c.since*second)
		if known != (c.when != 0) || known && when != c.when*second {
			t.Errorf("%s: %d s before the end, known %v; want %d", c.name, at-when/second, known, at-c.when)
		}
	}
	var none lifetimes
	conn := tcp(7, 0)
	if _, known := none.last(&conn, at*second, 1); known {
		t.Error("an end is dated without timeouts")
	}
	if n := testing.AllocsPerRun(100, func() { changed.last(&conn, at*second, 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestErasAreFew(t *testing.T) {
	var l lifetimes
	for i := range int64(20) {
		l = l.change(timeouts{udp: i}, i)
	}
	if len(l) != mostEras || l[0].udp != 20-mostEras || l[mostEras-1].udp != 19 {
		t.Errorf("%+v", l)
	}
}
