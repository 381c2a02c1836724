package lastpacket

import (
	"testing"

	"golang.org/x/sys/unix"

	"ulogd/plugins/input/nfct/ctnetlink"
)

// usual are the kernel's defaults, as far as the test needs them.
func usual() (t timeoutSet) {
	t.tcp = [10]int64{
		0,
		120 * Second,
		60 * Second,
		432000 * Second,
		120 * Second,
		60 * Second,
		30 * Second,
		120 * Second,
		10 * Second,
		0,
	}
	t.tcpUnacknowledged, t.tcpRetrans = 300*Second, 300*Second
	t.udp, t.udpStream, t.icmp, t.generic = 30*Second, 120*Second, 30*Second, 600*Second
	t.sctp[4] = 210 * Second
	return t
}

func TestLastPacket(t *testing.T) {
	tcp := func(state uint8, left uint32) ctnetlink.Flow {
		f := ctnetlink.Flow{
			TCPState: state,
			Timeout:  left,
			Has:      ctnetlink.HasTCP,
			Status:   ctnetlink.StatusSeenReply | ctnetlink.StatusAssured,
		}
		f.Orig.Proto = unix.IPPROTO_TCP
		return f
	}
	of := func(proto uint8, status, left uint32) ctnetlink.Flow {
		f := ctnetlink.Flow{Status: status, Timeout: left, SCTPState: 4}
		f.Orig.Proto = proto
		return f
	}
	changed := Lifetimes{{timeoutSet: usual()}}
	faster := usual()
	faster.udp = 3 * Second
	changed = changed.change(faster, 999_990*Second)
	const at = 1_000_000 // the end, in seconds
	for _, c := range []struct {
		name     string
		conn     ctnetlink.Flow
		since    int64
		when     int64 // 0: not known
		timeouts Lifetimes
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
		{name: "UDP", conn: of(17, ctnetlink.StatusSeenReply, 0), since: 1, when: at - 30},
		{name: "UDP, a stream", conn: of(17, ctnetlink.StatusAssured, 0), since: 1, when: at - 120},
		{name: "UDP, a stream, deleted", conn: of(17, ctnetlink.StatusAssured, 100), since: 1, when: at - 20},
		{name: "more left than any timeout", conn: of(17, 0, 31), since: 1},
		{name: "no timeout is short enough", conn: of(17, 0, 0), since: at - 10},
		{name: "set by hand", conn: of(17, ctnetlink.StatusFixedTimeout, 0), since: 1},
		{name: "in a flow table", conn: of(17, 1<<14, 0), since: 1},
		{name: "SCTP", conn: of(132, 0, 0), since: 1, when: at - 210},
		{name: "OSPF", conn: of(89, 0, 0), since: 1, when: at - 600},
		{name: "DCCP", conn: of(33, 0, 0), since: 1},
		{name: "before a change", conn: of(17, 0, 0), since: 1, when: at - 30, timeouts: changed},
		{name: "after a change", conn: of(17, 0, 0), since: at - 5, when: at - 3, timeouts: changed},
	} {
		l := c.timeouts
		if l == nil {
			l = Lifetimes{{timeoutSet: usual()}}
		}
		when, known := l.Last(&c.conn, at*Second, c.since*Second)
		if known != (c.when != 0) || known && when != c.when*Second {
			t.Errorf("%s: %d s before the end, known %v; want %d", c.name, at-when/Second, known, at-c.when)
		}
	}
	var none Lifetimes
	conn := tcp(7, 0)
	if _, known := none.Last(&conn, at*Second, 1); known {
		t.Error("an end is dated without timeouts")
	}
	if n := testing.AllocsPerRun(100, func() { changed.Last(&conn, at*Second, 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestErasAreFew(t *testing.T) {
	var l Lifetimes
	for i := range int64(20) {
		l = l.change(timeoutSet{udp: i}, i)
	}
	if len(l) != mostEras || l[0].udp != 20-mostEras || l[mostEras-1].udp != 19 {
		t.Errorf("%+v", l)
	}
}
