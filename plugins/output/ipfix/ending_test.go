package ipfix

import (
	"fmt"
	"testing"

	"ulogd/engine"
	"ulogd/test/stacktest"
)

// ends sends rows and returns the records that arrive.
func ends(t *testing.T, rows ...map[string]string) (records []decodedRecord) {
	t.Helper()
	c := listenUDP(t)
	for i, row := range rows {
		for name, value := range map[string]string{
			"oob.family": "2", "orig.ip.saddr": "10.0.0.1", "orig.ip.daddr": "192.0.2.1", "orig.ip.protocol": "6", "orig.l4.sport": fmt.Sprint(i), "orig.l4.dport": "80",
		} {
			row[name] = value
		}
	}
	stacktest.Feed(t.Name(), rows...)
	stacktest.Run(t, fmt.Sprintf("stack = [\"rows:ROWS,out:IPFIX\"]\n[rows]\nfeed = %q\n[out]\nhost = [%q]\nproto = \"udp\"\n", t.Name(), c.LocalAddr()))
	s := newSession()
	for len(records) < len(rows) {
		records = append(records, s.must(t, datagram(t, c))...)
	}
	return records
}

// TestFlowEndReason: the input's word where it has one, as NFCT and FLOW do; else what conntrack's event and state say.
func TestFlowEndReason(t *testing.T) {
	const update, destroy = "2", "4"
	cases := []struct {
		row  map[string]string
		want uint64
	}{
		{map[string]string{"ct.event": destroy, "ct.tcp.state": "7"}, 3},                      // TIME_WAIT
		{map[string]string{"ct.event": destroy, "ct.tcp.state": "8"}, 3},                      // CLOSE
		{map[string]string{"ct.event": destroy, "ct.tcp.state": "6"}, 3},                      // LAST_ACK
		{map[string]string{"ct.event": destroy, "ct.tcp.state": "3"}, 1},                      // ESTABLISHED: its timeout
		{map[string]string{"ct.event": destroy}, 1},                                           // not TCP
		{map[string]string{"ct.event": update, "ct.tcp.state": "3"}, 2},                       // an interim report
		{map[string]string{"ct.event": destroy, "ct.tcp.state": "7", "ct.recovered": "1"}, 5}, // vanished in an overrun
		{map[string]string{"ct.event": destroy, "flow.end.reason": "4"}, 4},                   // told at the daemon's end
		{map[string]string{"flow.end.reason": "2"}, 2},
	}
	var rows []map[string]string
	for _, c := range cases {
		rows = append(rows, c.row)
	}
	for _, rec := range ends(t, rows...) {
		c := cases[rec.uint(0, 7)] // numbered by their source ports
		if got := rec.uint(0, 136); got != c.want {
			t.Errorf("%v: flowEndReason %d, want %d", c.row, got, c.want)
		}
	}
}

// TestTCPControlBits: twelve bits in two octets (RFC 9565) where packets were seen; conntrack's states are no flags of headers.
func TestTCPControlBits(t *testing.T) {
	for _, rec := range ends(t, map[string]string{"orig.tcp.flags": "0xfff"}, map[string]string{"ct.tcp.state": "7", "ct.event": "4"}) {
		switch rec.uint(0, 7) {
		case 0:
			if v := rec.values[engine.IE{ID: 6}]; len(v) != 2 || rec.uint(0, 6) != 0xfff {
				t.Errorf("tcpControlBits is %#x", rec.uint(0, 6))
			}
		case 1:
			if rec.has(0, 6) {
				t.Errorf("a connection of conntrack has tcpControlBits %#x", rec.uint(0, 6))
			}
		}
	}
}
