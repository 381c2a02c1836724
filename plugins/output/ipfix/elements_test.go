// Which elements records have unasked, and which on request.

package ipfix

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ulogd/engine"
	_ "ulogd/plugins/filter/base"
	_ "ulogd/plugins/output/netflow9"
	"ulogd/test/packettest"
	"ulogd/test/stacktest"
)

// elementsOf runs one row through a stack and returns the elements of its first record.
func elementsOf(t *testing.T, filters, options string, row map[string]string) (list []string) {
	t.Helper()
	c := listenUDP(t)
	stacktest.Feed(t.Name(), row)
	stacktest.Run(t, fmt.Sprintf(`stack = ["rows:ROWS,%sout:IPFIX"]
[rows]
feed = %q
counts = "delta"
[out]
host = [%q]
proto = "udp"
%s
`,
		filters, t.Name(), c.LocalAddr(), options))
	s, records := newSession(), []decodedRecord(nil)
	for len(records) == 0 {
		records = s.must(t, datagram(t, c))
	}
	for _, e := range records[0].order {
		list = append(list, e.String())
	}
	return list
}

func connection() map[string]string {
	return map[string]string{
		"oob.family": "2", "orig.ip.saddr": "10.0.0.1", "orig.ip.daddr": "192.0.2.1", "orig.ip.protocol": "6", "orig.raw.pktlen": "60", "orig.raw.pktcount": "1",
		"reply.raw.pktlen": "60", "reply.raw.pktcount": "1",
		"ct.id": "7", "ct.event": "4", "ct.mark": "5", "ct.zone": "9", "ct.labels": strings.Repeat("0", 31) + "1",
	}
}

func logged() map[string]string {
	data := packettest.Build(packettest.IPv4{Src: "10.1.0.1", Dst: "192.0.2.14"}, packettest.UDP{Src: 40014, Dst: 53})
	return map[string]string{
		"oob.family": "2", "raw.pkt": string(data), "raw.pktlen": fmt.Sprint(len(data)), "oob.prefix": "ssh: ", "oob.mark": "7", "oob.hook": "1", "oob.uid": "1000",
	}
}

// TestEnterprise: a collector may refuse all of a template for one element that it does not know
// (Logstash does), so that flows have IANA's alone unless more is asked for.
func TestEnterprise(t *testing.T) {
	const base = "stage:BASE,"
	for _, c := range []struct {
		name, filters, options string
		row                    map[string]string
		want                   []string // under enterprise numbers
	}{
		{"flow", "", "", connection(), nil},
		{"flow with all", "", "enterprise = true", connection(), []string{"21373/4", "21373/1004", "21373/1005"}},
		{"flow with one", "", `fields = ["sourceIPv4Address", "ct.zone"]`, connection(), []string{"21373/1004"}},
		{"flow without", "", "enterprise = false", connection(), nil},
		{"biflow", "", `direction = "biflow"`, connection(), []string{"29305/1", "29305/2"}},
		{"packet", base, "", logged(), []string{"21373/4", "21373/3"}},
		{"packet with all", base, "enterprise = true", logged(), []string{"21373/4", "21373/5", "21373/1001", "21373/3"}},
		{"packet without", base, "enterprise = false", logged(), nil},
		{"counter", "", "", map[string]string{"sum.name": "http", "sum.pkts": "1", "sum.bytes": "60"}, []string{"21373/1014"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := elementsOf(t, c.filters, c.options, c.row)
			got = slices.DeleteFunc(got, func(e string) bool { return !strings.Contains(e, "/") })
			if !slices.Equal(got, c.want) {
				t.Errorf("under enterprise numbers there are %v, want %v", got, c.want)
			}
		})
	}
	for want, set := range map[string][]string{
		"enterprise = false leaves out": {"host", "h", "enterprise", "false", "fields", "ct.zone"},
		"reverse elements":              {"host", "h", "enterprise", "false", "direction", "biflow"},
	} {
		if _, problems := tryBuild(t, &feed{asct: true}, set...); !contains(problems, want) {
			t.Errorf("%q: %q", set, problems)
		}
	}
}

// TestFieldsByKey: a key in fields is what its records usually have; an element that only one of
// its keys has can be named too.
func TestFieldsByKey(t *testing.T) {
	six := connection()
	six["oob.family"], six["orig.ip.saddr"], six["orig.ip.daddr"] = "10", "2001:db8::1", "2001:db8::2"
	for _, c := range []struct {
		name, filters, fields string
		row                   map[string]string
		want                  []string
	}{
		{"address", "", "orig.ip.saddr", connection(), []string{"8"}},
		{"IPv6 address", "", "orig.ip.saddr", six, []string{"27"}},
		{"counters", "", "orig.raw.pktlen,octetTotalCount", connection(), []string{"1", "85"}},
		{"packet", "stage:BASE,", "udp.sport,udpSourcePort,totalLengthIPv4", logged(), []string{"7", "180", "190"}},
		{"ICMP", "", "icmp.type,icmpTypeCodeIPv4", func() map[string]string {
			row := connection()
			row["icmp.type"], row["icmp.code"] = "8", "0"
			return row
		}(), []string{"176", "32"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := elementsOf(t, c.filters, fmt.Sprintf("fields = %q", c.fields), c.row)
			if !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", c.fields, got, c.want)
			}
		})
	}
}

// TestCounters: deltas where the stack says so, which every collector reads; else totals, and then
// the log names those that read none.
func TestCounters(t *testing.T) {
	for _, c := range []struct {
		counts, counters string
		want             []string
		told             bool
	}{
		{"unknown", "auto", []string{"85", "86"}, true},
		{"unknown", "total", []string{"85", "86"}, false},
		{"unknown", "delta", []string{"1", "2"}, false},
		{"delta", "auto", []string{"1", "2"}, false},
		{"total", "auto", []string{"85", "86"}, true},
		{"total", "total", []string{"85", "86"}, false},
		{"total", "delta", []string{"1", "2"}, false},
		{"delta", "total", []string{"85", "86"}, false},
	} {
		for _, output := range []string{"IPFIX", "NETFLOW9"} {
			t.Run(fmt.Sprint(c.counts, c.counters, output), func(t *testing.T) {
				p := listenUDP(t)
				stacktest.Feed(t.Name(), connection())
				d := stacktest.Run(t, fmt.Sprintf(`stack = ["rows:ROWS,out:%s"]
[rows]
feed = %q
counts = %q
[out]
host = [%q]
counters = %q
%s
`,
					output, t.Name(), c.counts, p.LocalAddr(), c.counters, map[string]string{"IPFIX": `proto = "udp"`}[output]))
				if output == "IPFIX" {
					s := newSession()
					var rec decodedRecord
					for rec.order == nil {
						if list := s.must(t, datagram(t, p)); len(list) > 0 {
							rec = list[0]
						}
					}
					for _, id := range []uint16{1, 2, 85, 86} {
						if want := slices.Contains(c.want, fmt.Sprint(id)); rec.has(0, id) != want {
							t.Errorf("element %d: %v, want %v", id, !want, want)
						}
					}
				}
				if told := d.Log.Has("goflow2"); told != c.told {
					t.Errorf("the log names collectors that read no totals: %v\n%s", told, d.Log)
				}
				if told := d.Log.Has("no plugin of the stack says"); told != (c.told && c.counts == "unknown") {
					t.Errorf("the log says that nobody knows what counters count: %v\n%s", told, d.Log)
				}
			})
		}
	}
}

var _ engine.Counting = (*feed)(nil)
