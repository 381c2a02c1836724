package print_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	_ "ulogd/plugins/output/print"
	"ulogd/test/stacktest"
)

// rec makes a record of NAME VALUE pairs.
func rec(pairs ...string) (r stacktest.Record) {
	for i := 0; i < len(pairs); i += 2 {
		r = append(r, stacktest.Field{Name: pairs[i], Value: pairs[i+1]})
	}
	return r
}

const at int64 = 1772357400_025_000_000 // 2026-03-01 09:30:00.025 UTC

func flow(after int64, pairs ...string) stacktest.Record {
	r := rec(
		"flow.start", fmt.Sprint(at+after), "flow.end", fmt.Sprint(at+after+189_000_000),
		"orig.ip.protocol", "6", "orig.ip.saddr", "192.0.2.10", "orig.l4.sport", "50312", "orig.ip.daddr", "198.51.100.80",
		"orig.l4.dport", "443",
		"orig.raw.pktcount", "12", "orig.raw.pktlen", "790", "reply.raw.pktcount", "11", "reply.raw.pktlen", "11673",
		"flow.end.reason", "3", "oob.family", "2",
	)
	for i := 0; i < len(pairs); i += 2 {
		r = r.With(pairs[i], pairs[i+1])
	}
	return r
}

// run returns what PRINT writes of records.
func run(t *testing.T, options map[string]string, recs ...stacktest.Record) string {
	t.Helper()
	t.Setenv("TZ", "UTC")
	out := filepath.Join(t.TempDir(), "out")
	all := map[string]string{"file": out}
	for k, v := range options {
		all[k] = v
	}
	stacktest.Setup{Output: "PRINT", Options: all, Shape: recs}.Run(t)
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func same(t *testing.T, got, want string) {
	t.Helper()
	stacktest.SameLines(t, got, want)
	for line := range strings.Lines(got) {
		if n := utf8.RuneCountInString(line) - 1; n > 120 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestTableOfFlows(t *testing.T) {
	got := run(t, map[string]string{"format": "table"},
		flow(60_000_000_000, "orig.raw.pktcount", "4000000000", "orig.raw.pktlen", "18446744073709551615",
			"flow.end.reason", "4").With("orig.ip.protocol", "253"),
		flow(0),
	)
	same(t, got, ""+
		"start                time proto  source                destination            packets   octets replies   octets "+
		"end\n"+
		"03-01 09:30:00.025  189ms tcp    192.0.2.10:50312      198.51.100.80:443           12    790 B      11 11.4 KiB "+
		"finished\n"+
		"03-01 09:31:00.025  189ms 253    192.0.2.10:50312      198.51.100.80:443       4.00 G 16.0 EiB      11 11.4 KiB "+
		"forced\n")
}

// Long addresses lose their middle, absent values are "-", and nothing is wider than 120 columns.
func TestTableOfIPv6(t *testing.T) {
	long := flow(0, "oob.family", "10").With("orig.ip.saddr",
		"2001:db8:1111:2222:3333:4444:5555:6666").With("orig.ip.daddr", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff").
		With("orig.l4.sport", "65535").With("orig.raw.pktcount", "4000000000").With("orig.raw.pktlen",
		"18446744073709551615").With("flow.end.reason", "5")
	got := run(t, map[string]string{"format": "table"}, flow(0), long,
		flow(1).Without("flow.end").Without("reply.raw.pktcount").Without("orig.l4.sport").Without("orig.l4.dport").With("orig.ip.protocol", "47"))
	same(t, got, ""+
		"start                time proto  source                destination            packets   octets replies   octets "+
		"end\n"+
		"03-01 09:30:00.025  189ms tcp    192.0.2.10:50312      198.51.100.80:443           12    790 B      11 11.4 KiB "+
		"finished\n"+
		"03-01 09:30:00.025  189ms tcp    [2001:db8:…666]:65535 [2001:db8:…e:ffff]:443  4.00 G 16.0 EiB      11 11.4 KiB "+
		"no room\n"+
		"03-01 09:30:00.025      - gre    192.0.2.10            198.51.100.80               12    790 B       - 11.4 KiB "+
		"finished\n")
}

func TestTableOfPackets(t *testing.T) {
	packet := rec("oob.time", fmt.Sprint(at), "oob.in", "eth0", "oob.out", "", "oob.prefix",
		"drop \x1b[31m: a long prefix of a rule", "ip.protocol", "6", "ip.saddr", "192.0.2.10", "ip.daddr", "198.51.100.80",
		"tcp.sport", "50312", "tcp.dport", "443", "raw.pktlen", "60", "oob.family", "2")
	ping := rec("oob.time", fmt.Sprint(at), "oob.in", "eth0.4094.verylong", "ip.protocol", "58", "ip.saddr",
		"2001:db8::1", "ip.daddr", "2001:db8::2", "raw.pktlen", "104", "icmpv6.type", "128", "icmpv6.code", "0",
		"oob.family", "10")
	got := run(t, map[string]string{"format": "table"}, packet, ping)
	for _, want := range []string{
		"time               in ", " what       prefix\n", "03-01 09:30:00.025 eth0 ", " tcp    192.0.2.10:50312 ",
		" 198.51.100.80:443 ", "     60 -          drop \\…a rule\n",
		"icmpv6 2001:db8::1 ", "    104 type 128/0 -\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "\x1b") {
		t.Errorf("a packet commands the terminal: %q", got)
	}
	same(t, got, got)
}

func TestTableOfCounters(t *testing.T) {
	got := run(t, map[string]string{"format": "table"}, rec("oob.time", fmt.Sprint(at), "sum.name", "http", "sum.pkts",
		"1234567", "sum.bytes", "18446744073709551615"))
	same(t, got, ""+
		"time               name                                          packets               octets\n"+
		"03-01 09:30:00.025 http                                          1234567 18446744073709551615 16.0 EiB\n")
}

// keys chooses the columns.
func TestTableOfKeys(t *testing.T) {
	got := run(t, map[string]string{
		"format": "table",
		"keys":   "orig.ip.saddr,orig.ip.protocol,flow.end.reason,orig.raw.pktlen",
	}, flow(0))
	same(t, got, ""+
		"orig.ip.saddr   orig.ip.protocol flow.end.reason orig.raw.pktlen\n"+
		"192.0.2.10      tcp              finished                    790\n")
}

func TestCSV(t *testing.T) {
	got := run(t, map[string]string{"format": "csv", "keys": "flow.start,orig.ip.saddr,oob.prefix,orig.raw.pktlen"},
		flow(0, "oob.prefix", "a, \"b\"\nc"), flow(1))
	if want := "flow.start,orig.ip.saddr,oob.prefix,orig.raw.pktlen\n"; !strings.HasPrefix(got, want) {
		t.Errorf("%q does not begin with %q", got, want)
	}
	rows, err := csv.NewReader(strings.NewReader(got)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if want := `[2026-03-01T09:30:00.025000Z 192.0.2.10 a, "b"\x0ac 790]`; len(rows) != 3 || fmt.Sprint(rows[1]) != want || rows[2][2] != "" {
		t.Errorf("%q, want %s", rows, want)
	}
}

// The lines of before are the default still.
func TestKeys(t *testing.T) {
	got := run(t, nil, flow(0))
	if want := "flow.start=2026-03-01T09:30:00.025000Z flow.end=2026-03-01T09:30:00.214000Z orig.ip.protocol=6 " +
		"orig.ip.saddr=192.0.2.10 "; !strings.HasPrefix(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
