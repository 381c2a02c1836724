// What `ulogd flows` and `ulogd top` show is what the kernel has.

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ulogd/engine/question"
	"ulogd/test/nstest"
)

// entry is what is compared of a connection: its tuple, and the counters of both directions.
type entry struct {
	proto, src, dst, sport, dport string
	packets, octets               uint64
}

var listedEntry = regexp.MustCompile(`^\w+ +(\d+) .*?src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+) packets=(\d+) bytes=(\d+) .*src=\S+ dst=\S+ sport=\d+ dport=\d+ packets=(\d+) bytes=(\d+) `)

// TestFlowsAndTopEqualConntrack: ten thousand connections of different sizes, some with replies. Only
// questions have the daemon read the kernel's table.
func TestFlowsAndTopEqualConntrack(t *testing.T) {
	const n = 10_000
	ns := nstest.New(t)
	nstest.EnableConntrack(t, ns)
	ns.Sysctl(t, "net.netfilter.nf_conntrack_udp_timeout", "600")
	config := write(t, "ulogd.toml", fmt.Sprintf(`stack = "ct1:NFCT,n:NULL"
control = %q
[ct1]
expire_interval = 0
`,
		filepath.Join(t.TempDir(), "control")))
	start(t, ns, config)
	ns.Do(t, func() { send(t, n) })

	kernel := func() map[string]entry {
		all := map[string]entry{}
		for line := range strings.Lines(ns.Run(t, "conntrack -L")) {
			m := listedEntry.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			e := entry{proto: m[1], src: m[2], dst: m[3], sport: m[4], dport: m[5]}
			for i, to := range []*uint64{&e.packets, &e.octets, &e.packets, &e.octets} {
				v, _ := strconv.ParseUint(m[6+i], 10, 64)
				*to += v
			}
			all[fmt.Sprint(e.proto, e.src, e.dst, e.sport, e.dport)] = e
		}
		return all
	}
	ask := func(args ...string) string {
		out, err := exec.Command(daemon, append(args, "-c", config)...).Output()
		if err != nil {
			t.Fatalf("ulogd %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	flows := func(args ...string) (list []entry) {
		for line := range strings.Lines(ask(append([]string{"flows", "--json"}, args...)...)) {
			var f question.Flow
			if err := json.Unmarshal([]byte(line), &f); err != nil {
				t.Fatal(err)
			}
			list = append(list, entry{
				strconv.Itoa(int(f.Proto)), f.Src.String(), f.Dst.String(), strconv.Itoa(int(f.Sport)), strconv.Itoa(int(f.Dport)),
				f.AllPackets(), f.AllOctets(),
			})
		}
		return list
	}

	want := kernel()
	if len(want) != n {
		t.Fatalf("the kernel tracks %d connections, not %d", len(want), n)
	}
	differences := func() (texts []string) {
		got := flows()
		if len(got) != len(want) {
			texts = append(texts, fmt.Sprintf("%d flows of %d", len(got), len(want)))
		}
		for _, e := range got {
			if w := want[fmt.Sprint(e.proto, e.src, e.dst, e.sport, e.dport)]; w != e {
				texts = append(texts, fmt.Sprintf("%+v, the kernel has %+v", e, w))
			}
		}
		return texts
	}
	equal := func() { // counters may be some milliseconds old, and those of the newest connections not known yet
		t.Helper()
		want = kernel()
		nstest.Eventually(t, time.Minute, func() error {
			if d := differences(); len(d) > 0 || len(want) != n {
				return fmt.Errorf("%d differences in %d connections: %.3q", len(d), len(want), d)
			}
			return nil
		})
	}
	equal()
	ns.Do(t, func() { send(t, n/2) }) // what is counted since
	equal()

	// The largest here is the largest there.
	sorted := slices.SortedFunc(func(yield func(entry) bool) {
		for _, e := range want {
			if !yield(e) {
				return
			}
		}
	}, func(a, b entry) int { return int(b.octets) - int(a.octets) })
	if got := flows("sort=octets", "limit=3"); len(got) != 3 || got[0].octets != sorted[0].octets ||
		got[0].octets <= got[2].octets {
		t.Errorf("the first three are %+v, the kernel's first is %+v", got, sorted[0])
	}
	if got := flows("sort=octets", fmt.Sprint("limit=", n)); len(got) != n || got[n-1].octets != sorted[n-1].octets {
		t.Errorf("%d sorted, the last %+v, want %+v", len(got), got[len(got)-1], sorted[n-1])
	}

	sums := map[string]*question.Row{}
	var all question.Row
	for _, e := range want {
		for _, by := range []string{"src " + e.src, "port udp/" + e.dport, "proto udp"} {
			if sums[by] == nil {
				sums[by] = &question.Row{}
			}
			sums[by].Octets += e.octets
			sums[by].Packets += e.packets
			sums[by].Flows++
		}
		all.Octets += e.octets
	}
	for _, by := range []string{"src", "port", "proto"} {
		var res question.Result
		if err := json.Unmarshal([]byte(ask("top", "--total", "--json", "by="+by, "limit=10000")), &res); err != nil {
			t.Fatal(err)
		}
		if res.All.Octets != all.Octets || res.All.Flows != n || res.All.Unknown != 0 {
			t.Errorf("top by=%s: all %+v, want %d octets", by, res.All, all.Octets)
		}
		last := uint64(1 << 63)
		for _, r := range res.Rows {
			w := sums[by+" "+r.Name]
			if w == nil || w.Octets != r.Octets || w.Packets != r.Packets || w.Flows != r.Flows {
				t.Fatalf("top by=%s: %+v, the kernel has %+v", by, r, w)
			}
			if r.Octets > last {
				t.Fatalf("top by=%s: %s is not in order", by, r.Name)
			}
			last = r.Octets
		}
	}

	// Looking makes no record.
	var ct1 []struct {
		ID                 string
		Made, Dropped, Out uint64
	}
	if err := json.Unmarshal([]byte(ask("stats", "--json", "ct1")), &ct1); err != nil || len(ct1) != 1 ||
		ct1[0].ID != "ct1" || ct1[0].Made+ct1[0].Dropped+ct1[0].Out != 0 {
		t.Errorf("%+v, %v", ct1, err)
	}

	// For people: columns that fit, no escape codes into a pipe.
	for _, args := range [][]string{{"flows", "limit=2500"}, {"top", "--total"}, {"stats"}} {
		for line := range strings.Lines(ask(args...)) {
			if w := utf8.RuneCountInString(line) - 1; w > 120 || strings.Contains(line, "\x1b") {
				t.Fatalf("ulogd %v: %d columns: %q", args, w, line)
			}
		}
	}
}

// TestUnknownCountersAreNotZero: the kernel keeps none.
func TestUnknownCountersAreNotZero(t *testing.T) {
	ns := nstest.New(t)
	nstest.EnableConntrack(t, ns)
	ns.Sysctl(t, "net.netfilter.nf_conntrack_acct", "0")
	config := write(t, "ulogd.toml", fmt.Sprintf("stack = [\"ct1:NFCT,n:NULL\", \"ct2:NFCT,n:NULL\"]\ncontrol = %q\n"+
		"[ct2]\nhash_enable = 0\n", filepath.Join(t.TempDir(), "control")))
	start(t, ns, config)
	ns.Do(t, func() { send(t, 10) })
	ask := func(args ...string) (string, string) {
		var out, errs strings.Builder
		c := exec.Command(daemon, append(args, "-c", config)...)
		c.Stdout, c.Stderr = &out, &errs
		if err := c.Run(); err != nil {
			t.Fatalf("ulogd %v: %v\n%s", args, err, errs.String())
		}
		return out.String(), errs.String()
	}
	list, trouble := ask("flows")
	rows := strings.Split(strings.TrimSpace(list), "\n")
	if len(rows) != 11 {
		t.Errorf("10 connections are listed as\n%s", list)
	}
	for _, row := range rows[1:] {
		if f := strings.Fields(row); len(f) < 7 || strings.Join(f[3:7], " ") != "- - - -" {
			t.Errorf("packets and octets that nobody counts are %q", row)
		}
	}
	if !strings.Contains(trouble, "ct2:NFCT remembers no connections, so it has none to list: hash_enable is 0") {
		t.Errorf("of the input without memory it says %q", trouble)
	}
	objects, _ := ask("flows", "--json")
	sums, _ := ask("top", "--total", "by=proto")
	if strings.Contains(objects, "octets") || !regexp.MustCompile(`(?m)^udp +- +- +- +10$`).MatchString(sums) {
		t.Errorf("%s\n%s", objects, sums)
	}
}

// send makes connections of UDP on the loopback device: each of its own size, every third answered.
func send(t *testing.T, n int) {
	t.Helper()
	var servers []*net.UDPConn
	for port := range 5 {
		s, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5000 + port})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		servers = append(servers, s)
	}
	buf := make([]byte, 2048)
	for i := range n {
		src := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(i >> 6), byte(i&63) + 1}), uint16(20000+i%7))
		c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(src))
		if err != nil {
			t.Fatal(err)
		}
		server := servers[i%5]
		if _, err := c.WriteTo(buf[:i%1400], server.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		size, from, err := server.ReadFrom(buf)
		if err != nil || size != i%1400 {
			t.Fatal(size, err)
		}
		if i%3 == 0 {
			if _, err := server.WriteTo(buf[:i%700], from); err != nil {
				t.Fatal(err)
			}
		}
		c.Close()
	}
}
