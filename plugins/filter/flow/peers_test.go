package flow

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ulogd/engine"
	_ "ulogd/plugins/input/pcap"
	"ulogd/test/nstest"
	"ulogd/test/packettest"
	"ulogd/test/stacktest"
)

// told is a flow as two programs tell it: times in milliseconds.
type told struct {
	src, dst     string
	proto        uint8
	sport, dport uint16
	packets      int
	octets       int
	first, last  int64
}

// notSingle leaves out what nfpcapd never gathers.
const notSingle = "tcp or udp and not port 53"

// nfpcapdsFlows are what nfpcapd makes of a capture and nfdump prints.
func nfpcapdsFlows(t *testing.T, path string) (all []told) {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("nfpcapd", "-r", path, "-l", dir, "-e", "1800,15", "-t", "86400", notSingle).CombinedOutput(); err != nil {
		t.Fatalf("nfpcapd: %v\n%s", err, out)
	}
	cmd := exec.Command("nfdump", "-R", dir, "-o", "json")
	cmd.Env = append(os.Environ(), "TZ=UTC")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var records []struct {
		First   string `json:"first"`
		Last    string `json:"last"`
		Src4    string `json:"src4_addr"`
		Dst4    string `json:"dst4_addr"`
		Src6    string `json:"src6_addr"`
		Dst6    string `json:"dst6_addr"`
		Sport   uint16 `json:"src_port"`
		Dport   uint16 `json:"dst_port"`
		Proto   uint8  `json:"proto"`
		Packets int    `json:"in_packets"`
		Octets  int    `json:"in_bytes"`
	}
	if err := json.Unmarshal(out, &records); err != nil {
		t.Fatal(err)
	}
	ms := func(s string) int64 {
		at, err := time.Parse("2006-01-02T15:04:05.000", s)
		if err != nil {
			t.Fatal(err)
		}
		return at.UnixMilli()
	}
	for _, r := range records {
		f := told{r.Src4 + r.Src6, r.Dst4 + r.Dst6, r.Proto, r.Sport, r.Dport, r.Packets, r.Octets, ms(r.First), ms(r.Last)}
		all = append(all, f)
	}
	return all
}

// ourFlows are what FLOW makes of it.
func ourFlows(t *testing.T, path string, settings ...string) (all []told) {
	t.Helper()
	plugin, _ := engine.Default.Lookup(engine.InputKind, "PCAP")
	base, _ := engine.Default.Lookup(engine.FilterKind, "BASE")
	in := engine.NewInstance(plugin, "p")
	stacktest.Configure(t, in, "file="+path, "filter="+notSingle)
	out := &keeper{}
	m := stack(t, in, engine.NewInstance(base, "b"), flowInstance(t, settings), stacktest.Instance(engine.OutputKind, out))
	if err := m.Open(); err != nil {
		t.Fatal(err)
	}
	m.Start()
	if err := m.Wait(); err != nil {
		t.Fatal(err)
	}
	for i, r := range out.records {
		f := told{src: r["orig.ip.saddr"], dst: r["orig.ip.daddr"], first: out.nanos[i].start / 1e6, last: out.nanos[i].end / 1e6}
		fmt.Sscan(r["orig.ip.protocol"], &f.proto)
		fmt.Sscan(r["orig.l4.sport"], &f.sport)
		fmt.Sscan(r["orig.l4.dport"], &f.dport)
		fmt.Sscan(r["orig.raw.pktcount"], &f.packets)
		fmt.Sscan(r["orig.raw.pktlen"], &f.octets)
		all = append(all, f)
	}
	return all
}

// With the same timeouts nfpcapd makes the same flows, but for two classes: it looks for idle flows
// only now and then, so that a pause a little longer than the timeout does not end a flow; and it
// makes a flow of each packet of ICMP and DNS, which are left out here.
func TestNfpcapdMakesTheSameFlows(t *testing.T) {
	nstest.Need(t, "tool:nfpcapd", "tool:nfdump")
	path := filepath.Join(t.TempDir(), "trace.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (packettest.Trace{Packets: 60000, Flows: 8000}).Write(f); err != nil {
		t.Fatal(err)
	}
	f.Close()
	theirs := map[told]int{}
	for _, f := range nfpcapdsFlows(t, path) {
		theirs[f]++
	}
	// nfpcapd keeps a closed connection until it is idle.
	ours, equal := ourFlows(t, path, "tcp_linger=15"), 0
	rest := map[told][]told{} // by key
	for _, f := range ours {
		if theirs[f] > 0 {
			theirs[f]--
			equal++
		} else {
			rest[f.key()] = append(rest[f.key()], f)
		}
	}
	if equal*100 < len(ours)*95 {
		t.Errorf("%d of %d flows are equal", equal, len(ours))
	}
	for f, n := range theirs {
		if n > 0 && !joins(f, rest[f.key()]) {
			t.Errorf("nfpcapd has %+v, and ours of that key are not its parts: %+v", f, rest[f.key()])
		}
	}
	t.Logf("%d of %d flows are equal", equal, len(ours))
}

// key leaves what flows are told apart by.
func (f told) key() told {
	return told{src: f.src, dst: f.dst, proto: f.proto, sport: f.sport, dport: f.dport}
}

// joins reports whether a flow is the sum of some of the parts, which follow one another at pauses
// of more than the timeout.
func joins(f told, parts []told) bool {
	const timeout = 15000 // ms
	sum, last := f.key(), int64(0)
	slices.SortFunc(parts, func(a, b told) int { return cmp.Compare(a.first, b.first) })
	for _, p := range parts {
		if p.first < f.first || p.last > f.last {
			continue
		}
		if sum.packets == 0 {
			sum.first = p.first
		} else if pause := p.first - last; pause < timeout || pause > 2*timeout {
			return false
		}
		sum.packets, sum.octets, sum.last, last = sum.packets+p.packets, sum.octets+p.octets, p.last, p.last
	}
	return sum == f
}
