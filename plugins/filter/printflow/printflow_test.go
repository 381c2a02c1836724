package printflow

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	_ "ulogd/plugins/filter/ip2str"
	"ulogd/test/stacktest"
)

func TestLines(t *testing.T) {
	flow := func(more map[string]string) map[string]string {
		m := map[string]string{
			"oob.family": "2", "oob.protocol": "0", "orig.ip.saddr": "10.77.0.2", "orig.ip.daddr": "10.77.0.1", "reply.ip.saddr": "10.77.0.1", "reply.ip.daddr": "10.77.0.2",
			"orig.raw.pktcount": "5", "orig.raw.pktlen": "274", "reply.raw.pktcount": "3", "reply.raw.pktlen": "164",
		}
		maps.Copy(m, more)
		if p := m["orig.ip.protocol"]; p != "" {
			m["reply.ip.protocol"] = p
		}
		return m
	}
	ports := func(proto, event string) map[string]string {
		return flow(map[string]string{
			"ct.event": event, "orig.ip.protocol": proto, "orig.l4.sport": "45001", "orig.l4.dport": "8080", "reply.l4.sport": "80", "reply.l4.dport": "45001",
		})
	}
	for _, c := range []struct {
		row          map[string]string
		want, compat string // the part between addresses and counters, in both directions; compat where it differs
		tag          string
	}{
		{ports("6", "4"), "PROTO=TCP SPT=%s DPT=%s ", "", "[DESTROY] "},
		{ports("17", "1"), "PROTO=UDP SPT=%s DPT=%s ", "", "[NEW] "},
		{ports("132", "2"), "PROTO=SCTP SPT=%s DPT=%s ", "PROTO=132 ", "[UPDATE] "},
		{ports("33", "9"), "PROTO=DCCP SPT=%s DPT=%s ", "PROTO=33 ", ""},
		{ports("136", "4"), "PROTO=UDPLITE SPT=%s DPT=%s ", "PROTO=136 ", "[DESTROY] "},
		{flow(map[string]string{"orig.ip.protocol": "1", "icmp.type": "8", "icmp.code": "3"}), "PROTO=ICMP TYPE=8 CODE=3 ", "PROTO=ICMP TYPE=3 CODE=8 ", ""},
		{flow(map[string]string{"orig.ip.protocol": "58", "icmpv6.type": "128", "icmpv6.code": "0"}), "PROTO=ICMPv6 TYPE=128 CODE=0 ", "PROTO=58 ", ""},
		{flow(map[string]string{"orig.ip.protocol": "50"}), "PROTO=ESP ", "", ""},
		{flow(map[string]string{"orig.ip.protocol": "51"}), "PROTO=AH ", "", ""},
		{flow(map[string]string{"orig.ip.protocol": "47"}), "PROTO=47 ", "", ""},
		{flow(nil), "PROTO=0 ", "", ""},
	} {
		for _, compat := range []string{"none", "ulogd2"} {
			part := c.want
			if compat == "ulogd2" && c.compat != "" {
				part = c.compat
			}
			orig, reply := part, part
			if fmt.Sprintf(part, "", "") != part && len(part) > 0 && part[len(part)-4:] == "=%s " {
				orig, reply = fmt.Sprintf(part, "45001", "8080"), fmt.Sprintf(part, "80", "45001")
			}
			want := "print=" + c.tag + "ORIG: SRC=10.77.0.2 DST=10.77.0.1 " + orig + "PKTS=5 BYTES=274 , REPLY: SRC=10.77.0.1 DST=10.77.0.2 " + reply + "PKTS=3 BYTES=164 \n"
			name := fmt.Sprint(t.Name(), compat, c.want)
			stacktest.Feed(name, c.row)
			if c.row["orig.ip.protocol"] == "" { // the key must be in the stack
				c.row["orig.ip.protocol"] = "0"
			}
			stacktest.Run(t, fmt.Sprintf(`stack = ["in:ROWS,s:IP2STR,p:PRINTFLOW,o:RECORD"]
[in]
feed = %q
[p]
compat = %q
[o]
name = %q
keys = ["print"]`, name, compat, name))
			if got := stacktest.Recorded(name); len(got) != 1 || got[0] != want {
				t.Errorf("compat %s: got  %q\nwant %q", compat, got, want)
			}
		}
	}
}

// TestExtra: the entry's number and the state of TCP, where they are asked for and a record has them.
func TestExtra(t *testing.T) {
	rec := func(more ...string) map[string]string {
		m := map[string]string{
			"oob.family": "2", "orig.ip.saddr": "10.0.0.1", "orig.ip.daddr": "10.0.0.2", "orig.ip.protocol": "6",
		}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	rows := []map[string]string{
		rec("ct.id", "3190434", "ct.tcp.state", "7"), rec("ct.tcp.state", "200"), rec("ct.id", "5"), rec(),
	}
	for extra, ends := range map[string][]string{
		"true":  {", ID=3190434 STATE=TIME_WAIT \n", ", STATE=200 \n", ", ID=5 \n", "BYTES=0 \n"},
		"false": {"BYTES=0 \n", "BYTES=0 \n", "BYTES=0 \n", "BYTES=0 \n"},
	} {
		name := t.Name() + extra
		stacktest.Feed(name, rows...)
		stacktest.Run(t, fmt.Sprintf(`stack = ["in:ROWS,s:IP2STR,p:PRINTFLOW,o:RECORD"]
[in]
feed = %q
[p]
`+
			"extra_keys = %s\n[o]\nname = %q\nkeys = [\"print\"]", name, extra, name))
		got := stacktest.Recorded(name)
		if len(got) != len(ends) {
			t.Fatalf("%d lines", len(got))
		}
		for i, end := range ends {
			if !strings.HasSuffix(got[i], "BYTES=0 "+strings.TrimPrefix(end, "BYTES=0 ")) {
				t.Errorf("extra_keys = %s: %q, want the end %q", extra, got[i], end)
			}
		}
	}
}
