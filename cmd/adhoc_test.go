// Stacks from the command line.

package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"ulogd/test/nstest"
	. "ulogd/test/packettest"
)

const example = "../plugins/input/pcap/testdata/example.pcap"

func TestReplay(t *testing.T) {
	t.Setenv("TZ", "UTC")
	r := ulogd(t, "-r", example).exits(0).says(
		"start                time proto  source                destination            packets   octets replies   octets "+
			"end\n",
		"03-01 09:30:00.025  189ms tcp    192.0.2.10:50312      198.51.100.80:443           12    790 B      11 11.4 KiB "+
			"finished\n")
	for line := range strings.Lines(r.stdout + r.stderr) {
		if n := utf8.RuneCountInString(line) - 1; n > 120 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if n := strings.Count(r.stdout, "\n"); n != 9 {
		t.Errorf("%d lines, want 8 flows and a header:\n%s", n, r.stdout)
	}
	if want := "72 records read, 8 written, 2 left out, none lost in "; !strings.HasPrefix(r.stderr, want) ||
		strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("standard error is\n%swant one line that begins with %q", r.stderr, want)
	}
	ulogd(t, "-v", "-r", example).exits(0).says("<3>", "summary id=pcap1")
	ulogd(t, "-r", "/nowhere.pcap").exits(1).says("/nowhere.pcap", "no such file")
	ulogd(t, "-r", file(t, "x.pcap", "no capture")).exits(1)
}

// TestReplayByStart: a file's flows are in one order, by their start, whenever they ended, and for any number of them; a
// pipe's come as they end.
func TestReplayByStart(t *testing.T) {
	t.Setenv("TZ", "UTC")
	var packets []Packet
	const flows = 1500
	for i := range flows {
		begin := time.Unix(1_700_000_000, int64(i)*50_000_000)
		data := Build(Ethernet{}, IPv4{}, UDP{Src: uint16(i), Dst: 53}, Zeros(30))
		packets = append(packets, Packet{Time: begin, Data: data})
		if i%2 == 0 { // it ends ten seconds after its neighbours
			packets = append(packets, Packet{Time: begin.Add(10 * time.Second), Data: data})
		}
	}
	slices.SortStableFunc(packets, func(a, b Packet) int { return a.Time.Compare(b.Time) })
	var b strings.Builder
	if err := WritePcap(&b, LinkEthernet, Pcap{}, packets); err != nil {
		t.Fatal(err)
	}
	path := file(t, "flows.pcap", b.String())
	printed := func(r result) []string {
		r.exits(0)
		lines := strings.Split(strings.TrimSpace(r.stdout), "\n")[1:]
		if len(lines) != flows {
			t.Fatalf("%d lines", len(lines))
		}
		return lines
	}
	lines := printed(ulogd(t, "-r", path))
	if !slices.IsSorted(lines) { // they begin with the time
		t.Error("flows are not in the order of their start")
	}
	pipe := exec.Command("sh", "-c", "cat "+path+" | "+binary+" -r -")
	if piped := printed(finish(t, pipe)); slices.IsSorted(piped) {
		t.Error("a pipe's flows wait for its end")
	} else if slices.Sort(piped); !slices.Equal(piped, lines) {
		t.Error("a pipe's flows are others than the file's")
	}
	ulogd(t, "run", "NFLOG group=7 | BASE | FLOW | PRINT sort=start").exits(1).
		says("sort: start needs an input that ends")
	ulogd(t, "run", "PCAP file="+path+" | BASE | PRINT sort=start").exits(1).says("sort: start needs flow.start")
}

func TestRun(t *testing.T) {
	want := ulogd(t, "-c", file(t, "x.toml", `
stack = "capture:PCAP,headers:BASE,flows:FLOW,screen:PRINT"
[capture]
file = "`+example+`"
filter = "tcp port 443"
[screen]
keys = ["orig.ip.saddr", "orig.l4.sport"]
`)).exits(0).stdout
	if strings.Count(want, "\n") != 4 {
		t.Fatalf("the file prints\n%s", want)
	}
	for _, args := range [][]string{
		{"PCAP file=" + example + " filter='tcp port 443' | BASE | FLOW | PRINT keys=orig.ip.saddr,orig.l4.sport"},
		{`in:PCAP  "file=` + example + `"  filter=tcp\ port\ 443|BASE|FLOW|PRINT keys="orig.ip.saddr,orig.l4.sport"`},
		{"PCAP", "file=" + example, "filter=tcp port 443", "|", "BASE", "|", "FLOW", "|", "PRINT", "keys=orig.ip.saddr,orig.l4.sport"},
	} {
		got := ulogd(t, append([]string{"run"}, args...)...).exits(0).stdout
		if sorted(got) != sorted(want) { // flows that a capture's end ends come in any order
			t.Errorf("%q prints\n%swant\n%s", args, got, want)
		}
	}
	// Packets have TCP's flags and ICMP's type.
	ulogd(t, "run", "PCAP file="+example+" | BASE | PRINT format=table").exits(0).says(
		" tcp    192.0.2.10:50312 ", " 40 SA  ", " type 8/0 ", " type 128/0 ")
	// One plugin twice has two ids, and a bar in quotes is none.
	out := filepath.Join(t.TempDir(), "a|b")
	ulogd(t, "run", "GEN count=3 | MARK mark=0 | MARK mark=0 | PRINT 'file="+out+"'").exits(0)
	if _, err := os.Stat(out); err != nil {
		t.Error(err)
	}
	for stack, says := range map[string]string{
		"PCAP fil=x | BASE | FLOW | PRINT": "command line: [pcap1] fil: unknown option; did you mean file?",
		"PCAP file=x | BAS | PRINT":        "command line: stack: there is no filter plugin BAS; did you mean BASE?",
		"PCAP file=x | BASE | FLOW": "command line: stack: FLOW is a filter, so it stands between input and " +
			"output; here flow1:FLOW stands as output",
		"GEN count=x | PRINT":               "command line: [gen1] count: ",
		"GEN | IPFIX":                       "command line: [ipfix1] host: ",
		"PRINT":                             "needs an input and an output at least",
		"GEN | | PRINT":                     "the stack has nothing at place 2",
		"GEN count='1 | PRINT":              "the stack has an opening ' without a closing one",
		"GEN | PRINT \\":                    "the stack ends with a backslash",
		"PCAP file=/nowhere | BASE | PRINT": "/nowhere",
		"GEN | FLOW | PRINT":                "flow1:FLOW needs ",
		"GEN | PRINT format=xml":            "must be one of table, keys, csv, is \"xml\"",
		"a:GEN | a:PRINT": "a is the input GEN in another place and cannot be the output PRINT too; use " +
			"another id",
		"GEN rate=x | PRINT":             "command line: [gen1] rate: ",
		"GEN | BASE inner=maybe | PRINT": "command line: [base1] inner: ",
	} {
		ulogd(t, "run", stack).exits(1).says(says)
	}
	ulogd(t, "run").exits(1).says("usage: ulogd run STACK ...")
}

func sorted(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestLive(t *testing.T) {
	for args, says := range map[string]string{
		"lo --as ipfix":                          "--as ipfix without --to: give the collector",
		"lo --to 192.0.2.1":                      "--to 192.0.2.1: write PROTO://HOST:PORT",
		"lo --to udp://192.0.2.1/x":              "write PROTO://HOST:PORT",
		"lo --to tcp://192.0.2.1 --as netflow9":  `netflow9 goes by udp, not by "tcp"`,
		"lo --to udp://192.0.2.1 --as netflow8":  "did you mean netflow9?",
		"lo --to udp://192.0.2.1 --as something": "there are ipfix, netflow9, netflow5",
		"":                                       "usage: ulogd live INTERFACE",
	} {
		ulogd(t, append([]string{"live"}, strings.Fields(args)...)...).exits(1).says(says)
	}
	needRoot(t)
	ulogd(t, "live", "nowhere0").exits(1).says("nowhere0")
	nstest.Need(t, "native") // an emulator has no TPACKET_V3
	for _, to := range [][]string{
		nil,
		{"--to", "udp://[::1]:9", "--as", "netflow9"},
		{"--to", "udp://127.0.0.1:9"},
		{"--to", "udp://127.0.0.1:2055"},
	} {
		p := start(t, append([]string{"live", "-v", "lo"}, to...)...).up()
		p.signal(syscall.SIGINT)
		p.ends(0)
		p.logs(`\d+ records read, \d+ written, .* in \d+\.\d\d s`)
	}
}

func TestConvert(t *testing.T) {
	good := file(t, "good.conf", `stack=g:GEN,n:NULL
[g]
count=5
`)
	want := ulogd(t, "convert", good).exits(0).stdout
	if got := ulogd(t, "convert", "-c", good).exits(0).stdout; got != want || !strings.Contains(got, "count = 5") {
		t.Errorf("-c prints\n%s\nwant\n%s", got, want)
	}
	ulogd(t, "convert").exits(1).says("usage: ulogd convert FILE")
	ulogd(t, "convert", "-c", good, "other").exits(1).says("one is converted at a time")
	bad := file(t, "bad.conf", "stack=g:GEN,n:NULL\nstack=g:GEN,n:NUL\n")
	r := ulogd(t, "convert", bad).exits(1).says(bad+":2: stack: there is no output plugin NUL; did you mean NULL?",
		"1 error: mend that")
	if !strings.Contains(r.stdout, "g:GEN,n:NUL\"") {
		t.Errorf("what is refused is left out without a word:\n%s", r.stdout)
	}
}
