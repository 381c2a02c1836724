// What the traffic of a gateway looks like.

package gen_test

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	_ "ulogd/plugins/input/gen"
	"ulogd/test/stacktest"
)

// day is what GEN makes of a day behind a gateway, each record by the names of its keys.
func day(t *testing.T, settings string) (rows []map[string]string) {
	t.Helper()
	stacktest.Run(t, `stack = "gen:GEN,out:RECORD"
[gen]
traffic = "gateway"
count = 20000
interval = "4320ms"
`+settings+`
[out]
name = "`+t.Name()+`"
`)
	for _, line := range stacktest.Recorded(t.Name()) {
		row := map[string]string{}
		for word := range strings.FieldsSeq(line) {
			name, value, _ := strings.Cut(word, "=")
			row[name] = value
		}
		rows = append(rows, row)
	}
	if len(rows) != 20000 {
		t.Fatalf("%d records", len(rows))
	}
	return rows
}

func number(row map[string]string, name string) int {
	n, _ := strconv.Atoi(row[name])
	return n
}

// Few hosts have most of the connections, few connections most of the octets, and at night there are less.
func TestGatewayHasHeavyTails(t *testing.T) {
	hosts, hours, octets := map[string]int{}, [25]int{}, []int{}
	all, scanned := 0, 0
	for _, row := range day(t, "") {
		hosts[row["orig.ip.saddr"]]++
		hours[min(24, (number(row, "flow.end.sec")-1704067200)/3600)]++
		n := number(row, "orig.raw.pktlen") + number(row, "reply.raw.pktlen")
		octets, all = append(octets, n), all+n
		if row["orig.l4.dport"] == "445" && row["reply.raw.pktcount"] == "0" {
			scanned++
		}
	}
	byCount := slices.SortedFunc(maps.Values(hosts), func(a, b int) int { return cmp.Compare(b, a) })
	if top := byCount[0] + byCount[1]; len(hosts) < 900 || top < 2000 {
		t.Errorf("%d hosts, of which two have %d connections", len(hosts), top)
	}
	slices.Sort(octets)
	large := 0
	for _, n := range octets[len(octets)*99/100:] {
		large += n
	}
	if large < all/3 {
		t.Errorf("one in a hundred has %d of %d octets", large, all)
	}
	if night, noon := hours[4], hours[10]; noon < 5*night || hours[24] > 2000 {
		t.Errorf("%d connections from four o'clock, %d from ten, %d on the next day", night, noon, hours[24])
	}
	if scanned == 0 {
		t.Error("nobody scans")
	}
}

// Replies go to a public address of IPv4, and often to another port; those of IPv6 are not translated.
func TestGatewayTranslates(t *testing.T) {
	moved := 0
	for _, row := range day(t, "ipv6 = 50") {
		nat, src := row["reply.ip.daddr"], row["orig.ip.saddr"]
		if v6 := strings.Contains(src, ":"); v6 && nat != src || !v6 && !strings.HasPrefix(nat, "203.0.113.") {
			t.Fatalf("%s is translated to %s", src, nat)
		}
		if row["orig.ip.daddr"] != row["reply.ip.saddr"] || row["orig.l4.dport"] != row["reply.l4.sport"] {
			t.Fatalf("the server is translated: %v", row)
		}
		if row["orig.l4.sport"] != row["reply.l4.dport"] {
			moved++
		}
	}
	if moved < 1000 {
		t.Errorf("%d ports are translated", moved)
	}
}
