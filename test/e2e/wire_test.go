package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// wired is an output and what its packets are to look like, to a port of its own.
type wired struct {
	stack, options string // of the output, %s and %d, or AT: the collector's address and port
	network        string
	secure         bool // openssl answers
	dscp, ttl      int
	dscpWord       string
	greets         bool // the server has the first word
	manyPorts      bool // a port of its own is refused
}

// section is the configuration of the output.
func (w *wired) section(id, address string, port, from int) string {
	text := strings.ReplaceAll(w.options, "AT", net.JoinHostPort(address, fmt.Sprint(port)))
	if text == w.options {
		text = fmt.Sprintf(w.options, address, port)
	}
	if !w.manyPorts {
		text += fmt.Sprintf("\nsource_port = %d", from)
	}
	return fmt.Sprintf("[%s]\n%s\nbind_device = \"v1\"\ndscp = %s\nttl = %d\n", id, text, w.dscpWord, w.ttl)
}

// Every output that goes over a network, by IPv4 and IPv6.
var wires = []wired{
	{"gen:GEN,%s:IPFIX", "host = \"%s\"\nport = %d\nproto = \"udp\"", "udp", false, 46, 3, `"EF"`, false, false},
	{"gen:GEN,%s:IPFIX", "host = \"%s\"\nport = %d\nproto = \"tcp\"\nreconnect_interval = 1", "tcp", false, 10, 4, `"af11"`, false, false},
	{
		"gen:GEN,%s:IPFIX", "host = \"%s\"\nport = %d\nproto = \"tls\"\nreconnect_interval = 1\ntls_cert = \"DIR/c\"\n" +
			"tls_key = \"DIR/k\"\ntls_ca = \"DIR/c\"", "tcp", true, 63, 5, "63", false, false,
	},
	{
		"gen:GEN,%s:IPFIX", "host = \"%s\"\nport = %d\nproto = \"dtls\"\ndtls_renew = 0\nreconnect_interval = 1\n" +
			"tls_cert = \"DIR/c\"\ntls_key = \"DIR/k\"\ntls_ca = \"DIR/c\"", "udp", true, 8, 6, "0x08", false, false,
	},
	{"gen:GEN,%s:NETFLOW9", "host = \"%s\"\nport = %d", "udp", false, 1, 7, `"le"`, false, false},
	{"gen:GEN,%s:NETFLOW5", "host = \"%s\"\nport = %d", "udp", false, 56, 255, `"CS7"`, false, false},
	{
		"gen:GEN,text:IP2STR,lines:PRINTFLOW,%s:SYSLOG", "host = \"%s\"\nport = \"%d\"\ntransport = \"udp\"", "udp", false,
		16, 9, `"cs2"`, false, false,
	},
	{
		"gen:GEN,text:IP2STR,lines:PRINTFLOW,%s:SYSLOG", "host = \"%s\"\nport = \"%d\"\ntransport = \"tcp\"", "tcp", false,
		44, 10, `"va"`, false, false,
	},
	{"gen:GEN,text:IP2STR,%s:JSON", "host = \"%s\"\nport = \"%d\"\nmode = \"udp\"", "udp", false, 38, 11, `"af43"`, false, false},
	{"gen:GEN,text:IP2STR,%s:JSON", "host = \"%s\"\nport = \"%d\"\nmode = \"tcp\"", "tcp", false, 0, 12, `"cs0"`, false, false},
	{"acct:NFACCT,%s:GRAPHITE", "host = \"%s\"\nport = \"%d\"", "tcp", false, 48, 13, `"cs6"`, false, false},
	{"gen:GEN,%s:PGSQL", "host = \"%s\"\nport = %d\nsslmode = \"disable\"\n" + database, "tcp", false, 24, 14, `"cs3"`, false, false},
	{"gen:GEN,%s:MYSQL", "host = \"%s\"\nport = %d\n" + database, "tcp", false, 12, 15, `"af12"`, true, false},
	{"gen:GEN,%s:CLICKHOUSE", "url = \"http://AT\"\nreconnect = 0.2", "tcp", false, 14, 16, `"af13"`, false, false},
	{"gen:GEN,%s:KAFKA", "brokers = [\"AT\"]\ntopic = \"flows\"\nreconnect = 0.2", "tcp", false, 18, 17, `"af21"`, false, true},
}

const database = "db = \"d\"\nuser = \"u\"\nlayout = \"native\"\nreconnect = 0.2"

// TestOutputsOnTheWire: source port, DSCP, TTL and interface of every output's packets are what its
// settings say, also after the collector has closed the connection and after SIGHUP, and under -u, with
// privileged ports. Routes lead by another interface.
func TestOutputsOnTheWire(t *testing.T) {
	nstest.Need(t, "root", "veth", "tool:tcpdump", "tool:tshark", "tool:openssl", "tool:nfacct")
	gw, far := nstest.New(t), nstest.New(t)
	const at4, at6 = "203.0.113.9", "2001:db8:9::9"
	nstest.Veth(t, gw, far, "v0", "192.0.2.1/24", "fv0", "192.0.2.2/24")
	nstest.Veth(t, gw, far, "v1", "198.51.100.1/24", "fv1", "198.51.100.2/24")
	far.Run(t, "ip link set lo up")
	far.Run(t, "ip address add "+at4+" dev lo")
	far.Run(t, "ip address add "+at6+" dev lo nodad")
	for i, dev := range []string{"v0", "v1"} {
		gw.Run(t, fmt.Sprintf("ip address add 2001:db8:%d::1/64 dev %s nodad", i, dev))
		far.Run(t, fmt.Sprintf("ip address add 2001:db8:%d::2/64 dev f%s nodad", i, dev))
		via := []string{"192.0.2.2", "198.51.100.2"}[i]
		gw.Run(t, fmt.Sprintf("ip route add %s via %s dev %s metric %d", at4, via, dev, 10+i))
		gw.Run(t, fmt.Sprintf("ip route add %s via 2001:db8:%d::2 dev %s metric %d", at6, i, dev, 10+i))
	}
	gw.Run(t, "nfacct add web")

	dir := t.TempDir()
	os.Chmod(filepath.Dir(dir), 0o755)
	far.Run(t, "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -addext",
		"subjectAltName=IP:"+at4+",IP:"+at6, "-keyout", dir+"/k", "-out", dir+"/c")
	openTo(t, dir+"/k")

	var stacks, sections []string
	counts := make([]func() int, 0, 2*len(wires)) // sessions, or datagrams
	for i, w := range wires {
		for j, address := range []string{at4, at6} {
			id, port := fmt.Sprintf("o%d_%d", i, j), 5000+2*i+j
			stacks = append(stacks, fmt.Sprintf("%q", fmt.Sprintf(w.stack, id)))
			sections = append(sections, w.section(id, address, port, 600+2*i+j))
			counts = append(counts, answer(t, far, w, address, port, dir))
		}
	}
	config := write(t, "ulogd.toml", strings.ReplaceAll("stack = [\n"+strings.Join(stacks, ",\n")+"\n]\n"+
		`[gen]
count = 0
rate = 100
[acct]
pollinterval = 1
`+strings.Join(sections, ""), "DIR", dir))
	openTo(t, config)
	files := map[string]string{}
	var stops []*nstest.Proc
	for _, dev := range []string{"fv0", "fv1"} {
		files[dev] = filepath.Join(dir, dev)
		c := far.Start(t, "tcpdump -Z root -U --immediate-mode -B 65536 -i "+dev+" -w "+files[dev],
			"host "+at4+" or host "+at6)
		c.WaitOutput("listening on", time.Minute)
		stops = append(stops, c)
	}
	p := gw.Start(t, daemon+" -v -l 3 -u nobody -c "+config)
	p.WaitOutput("initialization finished", time.Minute)
	more := func(n int) {
		before := make([]int, len(counts))
		for i, count := range counts {
			before[i] = count()
		}
		nstest.Eventually(t, time.Minute, func() error {
			for i, count := range counts {
				if count() < before[i]+n && !wires[i/2].secure {
					return fmt.Errorf("output %d has sent or connected %d times more", i, count()-before[i])
				}
			}
			return nil
		})
	}
	more(2) // of streams the second connection: the first is closed by the collector
	p.Signal(syscall.SIGHUP)
	more(1)
	nstest.Eventually(t, time.Minute, func() error { return handshakes(t, files["fv1"]) })
	p.Stop(syscall.SIGTERM)
	for _, c := range stops {
		c.Stop(os.Interrupt)
	}
	onTheWire(t, files)
}

// openTo lets every user read a file.
func openTo(t *testing.T, path string) {
	t.Helper()
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(path); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// answer listens. It returns how many datagrams or connections came; the first connection is closed at its
// first octets.
func answer(t *testing.T, ns *nstest.NS, w wired, address string, port int, dir string) func() int {
	t.Helper()
	at := net.JoinHostPort(address, fmt.Sprint(port))
	if w.secure {
		version := "-tls1_2"
		if w.network == "udp" {
			version = "-dtls1_2"
		}
		ns.Start(t, "sh -c", fmt.Sprintf( // it ends with its standard input
			"sleep 600 | openssl s_server %s -quiet -accept %s -cert %s/c -key %[3]s/k -CAfile %[3]s/c >/dev/null",
			version, at, dir))
		return func() int { return 0 }
	}
	came := make(chan struct{}, 1<<16)
	ns.Do(t, func() {
		if w.network == "udp" {
			c, err := net.ListenPacket("udp", at)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			go func() {
				for p := make([]byte, 65536); ; came <- struct{}{} {
					if _, _, err := c.ReadFrom(p); err != nil {
						return
					}
				}
			}()
			return
		}
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for n := 0; ; n++ {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					if w.greets {
						came <- struct{}{}
						return
					}
					if _, err := c.Read(make([]byte, 1)); err == nil {
						came <- struct{}{}
					}
					if n > 0 {
						io.Copy(io.Discard, c)
					}
				}()
			}
		}()
	})
	return func() int { return len(came) }
}

// handshakes is an error until each of the secure outputs has begun two sessions.
func handshakes(t *testing.T, file string) error {
	begun := map[string]int{}
	for _, f := range fieldsOf(t, file, "(tls.handshake.type == 1 || dtls.handshake.type == 1)", "tcp.dstport",
		"udp.dstport") {
		begun[f[0]+f[1]]++
	}
	for i, w := range wires {
		for j := range 2 {
			if n := begun[fmt.Sprint(5000+2*i+j)]; w.secure && n < 2 {
				return fmt.Errorf("%d sessions were begun with port %d", n, 5000+2*i+j)
			}
		}
	}
	return nil
}

func fieldsOf(t *testing.T, file, filter string, fields ...string) (rows [][]string) {
	t.Helper()
	args := []string{"-r", file, "-o", "ip.defragment:FALSE", "-Y", filter, "-T", "fields"}
	for i := range wires {
		if wires[i].secure {
			layer := map[string]string{"tcp": "tls", "udp": "dtls"}[wires[i].network]
			args = append(args, "-d", fmt.Sprintf("%s.port==%d-%d,%s", wires[i].network, 5000+2*i, 5001+2*i, layer))
		}
	}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return rows
}

// onTheWire compares what the collectors' machine got.
func onTheWire(t *testing.T, files map[string]string) {
	t.Helper()
	// What the kernel says of sessions that are over (RST, the last ACK, ICMP) has no socket any more.
	const outward = "(ip.dst == 203.0.113.9 || ipv6.dst == 2001:db8:9::9) && !icmp && !icmpv6 && (udp || tcp.len > 0 " +
		"|| tcp.flags.syn == 1)"
	if by := fieldsOf(t, files["fv0"], outward, "_ws.col.Protocol", "_ws.col.Info"); len(by) > 0 {
		t.Errorf("%d packets came by the interface of the better route, such as %q", len(by), by[0])
	}
	packets, begun := map[string]int{}, map[string]int{}
	for _, f := range fieldsOf(t, files["fv1"], outward, "udp.dstport", "tcp.dstport", "udp.srcport", "tcp.srcport",
		"ip.dsfield.dscp", "ipv6.tclass.dscp", "ip.ttl", "ipv6.hlim", "tcp.flags") {
		to, from, dscp, ttl := f[0]+f[1], f[2]+f[3], f[4]+f[5], f[6]+f[7]
		packets[to]++
		if f[8] == "0x0002" || f[8] == "0x00c2" { // SYN
			begun[to]++
		}
		var n int
		fmt.Sscan(to, &n)
		i := n - 5000
		if i < 0 || i >= 2*len(wires) {
			t.Fatalf("a packet to port %q", to)
		}
		w := wires[i/2]
		want := fmt.Sprintf("from %d, dscp %d, ttl %d", 600+i, w.dscp, w.ttl)
		if w.manyPorts {
			from = fmt.Sprint(600 + i)
		}
		if got := fmt.Sprintf("from %s, dscp %s, ttl %s", from, dscp, ttl); got != want {
			t.Fatalf("%s over %s has packets %s, want %s", w.stack, w.network, got, want)
		}
	}
	for i, w := range wires {
		for j := range 2 {
			port := fmt.Sprint(5000 + 2*i + j)
			if packets[port] < 2 || w.network == "tcp" && begun[port] < 2 {
				t.Errorf("%s over %s to port %s: %d packets, %d connections", w.stack, w.network, port, packets[port], begun[port])
			}
		}
	}
}
