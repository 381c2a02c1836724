package nfct_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	_ "ulogd/plugins/input/nfct"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// tracked makes a namespace that tracks connections and lets them end soon.
func tracked(t testing.TB) *nstest.NS {
	t.Helper()
	nstest.Need(t, "nf_conntrack", "tool:conntrack")
	ns := nstest.New(t)
	nstest.EnableConntrack(t, ns)
	for _, s := range []string{"tcp_timeout_time_wait", "tcp_timeout_close", "udp_timeout", "udp_timeout_stream", "icmp_timeout", "icmpv6_timeout"} {
		ns.Sysctl(t, "net.netfilter.nf_conntrack_"+s, "1")
	}
	return ns
}

// start runs NFCT in the namespace, its records going to the recorder of that name.
func start(t testing.TB, ns *nstest.NS, name, settings, keys string) *stacktest.Daemon {
	t.Helper()
	return stacktest.Start(t, fmt.Sprintf(`
[global]
stack = "ct1:NFCT,out1:RECORD"
[ct1]
network_namespace_path = %q
%s
[out1]
name = %q
%s
`, ns.Path(), settings, name, keys))
}

// collect waits for n records.
func collect(t testing.TB, d *stacktest.Daemon, name string, n int) (lines []string) {
	t.Helper()
	d.Eventually(fmt.Sprintf("%d records in %s", n, name), func() bool {
		lines = append(lines, stacktest.Recorded(name)...)
		return len(lines) >= n
	})
	return lines
}

// fields splits a record.
func fields(line string) map[string]string {
	m := map[string]string{}
	for _, f := range strings.Fields(line) {
		k, v, _ := strings.Cut(f, "=")
		m[k] = v
	}
	return m
}

// tcpEcho opens a connection inside ns, sends n octets, gets them back, and closes.
func tcpEcho(t testing.TB, ns *nstest.NS, addr string, n int) {
	t.Helper()
	ns.Do(t, func() {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			c, err := l.Accept()
			if err == nil {
				io.Copy(c, c)
				c.Close()
			}
		}()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Write(make([]byte, n))
		c.(*net.TCPConn).CloseWrite()
		if got, err := io.ReadAll(c); err != nil || len(got) != n {
			t.Fatalf("echo of %d octets: %d, %v", n, len(got), err)
		}
	})
}

// udpPing sends a datagram of n octets inside ns and, if answer is not negative, gets one back.
func udpPing(t testing.TB, ns *nstest.NS, addr string, n, answer int) {
	t.Helper()
	ns.Do(t, func() {
		l, err := net.ListenPacket("udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, err := net.Dial("udp", l.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Write(make([]byte, n))
		buf := make([]byte, 65536)
		_, from, err := l.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		if answer >= 0 {
			l.WriteTo(make([]byte, answer), from)
			c.Read(buf)
		}
	})
}

// ping sends an echo request inside ns, of that ICMP type, and waits for the reply.
func ping(t testing.TB, ns *nstest.NS, network, addr string, kind byte) {
	t.Helper()
	ns.Do(t, func() {
		c, err := net.Dial(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		request := []byte{kind, 0, 0, 0, 0x12, 0x34, 0, 1} // the kernel fills in ICMPv6's checksum only
		if kind == 8 {
			binary.BigEndian.PutUint16(request[2:], ^uint16(0x0800+0x1234+1))
		}
		c.Write(request)
		reply := make([]byte, 1500)
		for reply[0] != 0 && reply[0] != 129 || reply[4] != 0x12 {
			c.SetReadDeadline(time.Now().Add(30 * time.Second))
			if _, _, err := c.(net.PacketConn).ReadFrom(reply); err != nil {
				t.Fatalf("ping %s: %v", addr, err)
			}
		}
	})
}

var direction = regexp.MustCompile(
	`src=(\S+) dst=(\S+)(?: sport=(\d+) dport=(\d+))?(?: type=(\d+) code=(\d+) id=\d+)? packets=(\d+) bytes=(\d+)`,
)

// peer reads a line of `conntrack -E -o ktimestamp,id` into the names that NFCT uses.
func peer(t testing.TB, line string) map[string]string {
	t.Helper()
	m := map[string]string{}
	dirs := direction.FindAllStringSubmatch(line, -1)
	if len(dirs) != 2 {
		t.Fatalf("cannot read %q", line)
	}
	for i, side := range []string{"orig", "reply"} {
		d := dirs[i]
		m[side+".ip.saddr"], m[side+".ip.daddr"] = d[1], d[2]
		if d[3] != "" {
			m[side+".l4.sport"], m[side+".l4.dport"] = d[3], d[4]
		}
		m[side+".raw.pktcount"], m[side+".raw.pktlen"] = d[7], d[8]
		if i == 0 && d[5] != "" {
			kind := "icmp"
			if strings.Contains(d[1], ":") {
				kind = "icmpv6"
			}
			m[kind+".type"], m[kind+".code"] = d[5], d[6]
		}
	}
	for name, expr := range map[string]string{
		"ct.id": `id=(\d+)$`, "flow.start.sec": `\[start=([^\]]+)\]`, "flow.end.sec": `\[stop=([^\]]+)\]`,
		"orig.ip.protocol": `\] +\S+ +(\d+)`,
	} {
		if s := regexp.MustCompile(expr).FindStringSubmatch(line); s != nil {
			m[name] = s[1]
		}
	}
	for _, k := range []string{"flow.start.sec", "flow.end.sec"} {
		when, err := time.ParseInLocation("Mon Jan _2 15:04:05 2006", m[k], time.Local)
		if err != nil {
			t.Fatalf("%s in %q: %v", k, line, err)
		}
		m[k] = fmt.Sprint(when.Unix())
	}
	m["reply.ip.protocol"] = m["orig.ip.protocol"]
	return m
}

// compare checks that every line of conntrack has its record with the same values, and that there
// are no others.
func compare(t testing.TB, theirs []string, ours []string) {
	t.Helper()
	if len(theirs) != len(ours) {
		t.Errorf("conntrack printed %d events, there are %d records", len(theirs), len(ours))
	}
	// The kernel uses an identifier again once a connection is gone.
	byID := map[string]map[string]string{}
	key := func(m map[string]string) string {
		return m["ct.id"] + " " + m["flow.start.sec"] + " " + m["flow.end.sec"]
	}
	for _, line := range ours {
		m := fields(line)
		byID[key(m)] = m
	}
	for _, line := range theirs {
		want := peer(t, line)
		got := byID[key(want)]
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%s is %q, conntrack says %q in %q", k, got[k], v, line)
			}
		}
		for k := range got {
			if (strings.Contains(k, "l4.") || strings.Contains(k, "icmp")) && want[k] == "" {
				t.Errorf("%s=%s is not in %q", k, got[k], line)
			}
		}
	}
}

// lines waits for n lines of a program that contain what. The kernel may take a minute to notice
// that connections have run out; listing them makes it look.
func lines(t testing.TB, ns *nstest.NS, p *nstest.Proc, what string, n int) (found []string) {
	t.Helper()
	nstest.Eventually(t, time.Minute, func() error {
		ns.Run(t, "conntrack -L")
		found = nil
		for line := range strings.Lines(p.Output()) {
			if strings.Contains(line, what) {
				found = append(found, strings.TrimSpace(line))
			}
		}
		if len(found) < n {
			return fmt.Errorf("%d of %d lines with %s", len(found), n, what)
		}
		return nil
	})
	return found
}

func TestEndsEqualConntrack(t *testing.T) {
	ns := tracked(t)
	ns.Nft(
		t,
		"table inet nat { chain o { type nat hook output priority -100; tcp dport 8080 dnat ip to 127.0.0.1:8081; }; }",
	)
	d := start(t, ns, t.Name(), `compat = "ulogd2"`, "extra_keys = true") // conntrack shows the ends of entries
	events := ns.Start(t, "conntrack -E -e DESTROY -o ktimestamp,id")
	events.WaitSubscribed(time.Minute)
	tcpEcho(t, ns, "127.0.0.1:0", 5000)
	tcpEcho(t, ns, "[::1]:0", 50000)
	udpPing(t, ns, "127.0.0.1:0", 100, 200)
	udpPing(t, ns, "[::1]:0", 1000, -1)
	ping(t, ns, "ip4:icmp", "127.0.0.1", 8)
	ping(t, ns, "ip6:ipv6-icmp", "::1", 128)
	translated(t, ns)
	const connections = 7
	theirs := lines(t, ns, events, "[DESTROY]", connections)
	ours := collect(t, d, t.Name(), connections)
	compare(t, theirs, ours)
	i := slices.IndexFunc(ours, func(s string) bool { return strings.Contains(s, "orig.l4.dport=8080 ") })
	if i < 0 || !strings.Contains(ours[i], "reply.l4.sport=8081 ") {
		t.Errorf("no translated connection in %q", ours)
	}
	for _, line := range ours {
		if m := fields(line); m["ct.event"] != "4" || m["oob.protocol"] != "0" || m["ct.mark"] != "0" {
			t.Errorf("record %q", line)
		}
	}
}
