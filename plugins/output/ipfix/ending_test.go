package ipfix

import (
	"fmt"
	"testing"

	"ulogd/engine"
	"ulogd/test/stacktest"
)

// ends sends rows and returns the records that arrive.
func ends(t *testing.T, options string, rows ...map[string]string) (records []decodedRecord) {
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
	stacktest.Run(t, fmt.Sprintf(`stack = ["rows:ROWS,out:IPFIX"]
[rows]
feed = %q
[out]
host = [%q]
proto = "udp"
%s
`, t.Name(), c.LocalAddr(), options))
	s := newSession()
	for len(records) < len(rows) {
		records = append(records, s.must(t, datagram(t, c))...)
	}
	return records
}

// TestFlowEndReason: the input's word where it has one, as NFCT and FLOW do; else what conntrack's
// event and state say.
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
	for _, rec := range ends(t, "", rows...) {
		c := cases[rec.uint(0, 7)] // numbered by their source ports
		if got := rec.uint(0, 136); got != c.want {
			t.Errorf("%v: flowEndReason %d, want %d", c.row, got, c.want)
		}
	}
}

// TestTCPControlBits: where packets were seen, eight bits in one octet, as most collectors read
// them, or on request twelve in two (RFC 9565); conntrack's states are no flags of headers.
func TestTCPControlBits(t *testing.T) {
	for options, want := range map[string]string{"": "ff", "tcp_flags_octets = 2": "0fff"} {
		t.Run(options, func(t *testing.T) {
			for _, rec := range ends(t, options, map[string]string{"orig.tcp.flags": "0xfff"}, map[string]string{"ct.tcp.state": "7", "ct.event": "4"}) {
				switch v := fmt.Sprintf("%x", rec.values[engine.IE{ID: 6}]); {
				case rec.uint(0, 7) == 0 && v != want:
					t.Errorf("tcpControlBits is %s, want %s", v, want)
				case rec.uint(0, 7) == 1 && v != "":
					t.Errorf("a connection of conntrack has tcpControlBits %s", v)
				}
			}
		})
	}
}
