// What a collector shows of flows, read from what it prints, and compared with what happened.

package e2e

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"ulogd/test/collectors"
)

// A shown flow is one direction of a connection as a collector shows it.
type shown struct {
	flow
	first, last time.Time // since 1970, or since an epoch that the collector does not show
	flags       uint8     // of all packets; 0 where it shows none
}

// An expected flow is what happened: its first packet came between these times, its last one
// before the end, and not longer before it than the slack.
type expected struct {
	flow
	first [2]time.Time
	last  time.Time
	slack time.Duration
	flags uint8
}

// nfdumpShown reads the files of nfcapd.
func nfdumpShown(t *testing.T, dir string) (flows []shown) {
	t.Helper()
	dump := exec.Command("env", "TZ=UTC", "nfdump", "-R", dir, "-q", "-6", "-N",
		"-o", "fmt:%sa,%da,%sp,%dp,%pr,%pkt,%byt,%ts,%te,%flg")
	out, err := dump.Output()
	if err != nil {
		t.Fatalf("nfdump: %v", err)
	}
	rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	if err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	for _, r := range rows {
		for i := range r {
			r[i] = strings.TrimSpace(r[i])
		}
		flows = append(flows, shown{
			flow: flow{
				src: r[0], dst: r[1], sport: int(number(r[2])), dport: int(number(r[3])), proto: protocol(r[4]),
				packets: number(r[5]), bytes: number(r[6]),
			},
			first: stamp(t, r[7]), last: stamp(t, r[8]), flags: letters(r[9]),
		})
	}
	return flows
}

// A members type names those of a collector's JSON objects.
type members struct{ src, dst, sport, dport, proto, packets, octets, flags string }

// jsonShown reads flows, a JSON object each; times finds those of one.
func jsonShown(
	output string, names members, times func(row map[string]any) (first, last time.Time),
) (flows []shown) {
	for _, row := range collectors.Rows(output) {
		if row[names.src] == nil {
			continue // of its log
		}
		text := func(name string) string { return fmt.Sprint(row[name]) }
		s := shown{flow: flow{
			src: text(names.src), dst: text(names.dst),
			sport: int(number(text(names.sport))), dport: int(number(text(names.dport))), proto: protocol(text(names.proto)),
			packets: number(text(names.packets)), bytes: number(text(names.octets)),
		}}
		if n, err := strconv.ParseUint(text(names.flags), 10, 8); err == nil {
			s.flags = uint8(n)
		} else if flags, ok := row[names.flags].(string); ok {
			s.flags = letters(flags)
		}
		s.first, s.last = times(row)
		flows = append(flows, s)
	}
	return flows
}

// member returns a number of a JSON object, 0 if it has none.
func member(row map[string]any, name string) int64 { return int64(number(fmt.Sprint(row[name]))) }

// telegrafTimes: of IPFIX it shows times, of NetFlow v9 uptimes and not what they count from, of v5
// the header's, too.
func telegrafTimes(row map[string]any) (first, last time.Time) {
	if row["flow_start_ms"] != nil {
		return time.UnixMilli(member(row, "flow_start_ms")), time.UnixMilli(member(row, "flow_end_ms"))
	}
	first, last = time.UnixMilli(member(row, "first_switched")), time.UnixMilli(member(row, "last_switched"))
	if row["sys_uptime"] != nil {
		up := time.Unix(0, member(row, "timestamp")).Sub(time.UnixMilli(member(row, "sys_uptime")))
		first, last = first.Add(up), last.Add(up)
	}
	return first, last
}

func number(s string) uint64 {
	n, _ := strconv.ParseUint(s, 10, 64)
	return n
}

func protocol(s string) int {
	return map[string]int{"tcp": 6, "6": 6, "udp": 17, "17": 17}[strings.ToLower(s)]
}

// stamp reads a time of day in UTC.
func stamp(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.DateTime, s) // also with a fraction of the second
	if err != nil {
		t.Error(err)
	}
	return at
}

// letters reads flags as nfdump and Telegraf write them.
func letters(s string) (flags uint8) {
	for i, c := range "FSRPAUEC" {
		if strings.ContainsRune(s, c) {
			flags |= 1 << i
		}
	}
	return flags
}

// compare holds what is shown against what happened. A collector that does not show what its times
// count from shows them relative to those of the first flow.
func compare(t *testing.T, got []shown, want []expected, relative bool) {
	t.Helper()
	wanted := map[string]expected{}
	for _, w := range want {
		wanted[w.key()] = w
	}
	var epoch time.Duration
	if len(got) > 0 && relative {
		epoch = wanted[got[0].key()].last.Sub(got[0].last)
	}
	const unit = time.Millisecond // of the times that are exported
	for _, g := range got {
		w, ok := wanted[g.key()]
		if !ok {
			t.Errorf("shown, but it did not happen: %s", g.key())
			continue
		}
		delete(wanted, w.key())
		g.first, g.last = g.first.Add(epoch), g.last.Add(epoch)
		slack := w.slack
		if relative {
			slack *= 2 // also that of the first flow
		}
		if early := g.first.Before(w.first[0].Add(-unit - slack)); early || g.first.After(w.first[1].Add(slack)) {
			t.Errorf("%s: starts at %v, and did between %v and %v", g.key(), g.first, w.first[0], w.first[1])
		}
		if late := g.last.After(w.last.Add(slack)); late || g.last.Before(w.last.Add(-unit-slack)) {
			t.Errorf("%s: ends at %v, and did at %v", g.key(), g.last, w.last)
		}
		if g.flags != w.flags {
			t.Errorf("%s: flags %#x, and it had %#x", g.key(), g.flags, w.flags)
		}
	}
	for k := range wanted {
		t.Errorf("not shown: %s", k)
	}
}

// A history gathers what happens in one direction.
type history map[string]*expected

// add tells of a packet.
func (h history) add(f flow, at time.Time, flags uint8) {
	k := fmt.Sprint(f.src, f.sport, f.dst, f.dport, f.proto)
	e := h[k]
	if e == nil {
		e = &expected{flow: f, first: [2]time.Time{at, at}}
		e.packets, e.bytes = 0, 0
		h[k] = e
	}
	e.packets++
	e.bytes += f.bytes
	e.last, e.flags = at, e.flags|flags
}

func (h history) flows() (out []expected) {
	for _, e := range h {
		out = append(out, *e)
	}
	return out
}

// only4 leaves out what NetFlow v5 cannot tell.
func only4(want []expected) (out []expected) {
	for _, w := range want {
		if !strings.Contains(w.src, ":") {
			out = append(out, w)
		}
	}
	return out
}
