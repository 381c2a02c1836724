package e2e

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"net"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// seedConfig is the configuration that this project began with, to the letter.
const seedConfig = `      # this will print all flows on screen
      loglevel=1
      # load NFCT and IPFIX plugins
      plugin="/lib/ulogd/ulogd_inpflow_NFCT.so"
      plugin="/lib/ulogd/ulogd_output_IPFIX.so"
      stack=ct1:NFCT,ipfix1:IPFIX
      [ct1]
      netlink_socket_buffer_size=217088
      netlink_socket_buffer_maxsize=1085440
      accept_proto_filter=tcp,sctp
      [ipfix1]
      oid=1
      host="127.0.0.1"
      #port=4739
      #send_template="once"
`

// flow is one direction of a connection as a collector has it.
type flow struct {
	src, dst       string
	sport, dport   int
	proto          int
	in, out        int // interfaces
	packets, bytes uint64
	start, end     string // seconds of the day, to the millisecond where the source has it
}

func (f flow) key() string {
	return fmt.Sprintf("%s:%d>%s:%d/%d packets=%d bytes=%d", f.src, f.sport, f.dst, f.dport, f.proto, f.packets, f.bytes)
}

func keys(flows []flow) (out []string) {
	for _, f := range flows {
		out = append(out, f.key())
	}
	slices.Sort(out)
	return out
}

func TestSeedConfigurationExportsEveryTCPConnection(t *testing.T) {
	nstest.Need(t, "root", "nf_conntrack", "tool:conntrack", "tool:tshark", "tool:tcpdump")
	ns, events := gateway(t)
	stopCapture := capture(t, ns, "tcp port 4739")
	collect(t, ns)
	p := start(t, ns, write(t, "ulogd.conf", seedConfig))
	traffic(t, ns, 40)
	want := destroyed(t, ns, events, 40)
	time.Sleep(1500 * time.Millisecond) // IPFIX sends a second after the first record at the latest
	if state := p.Stop(syscall.SIGTERM); state.ExitCode() != 0 {
		t.Errorf("exit code %d\n%s", state.ExitCode(), p.Output())
	}
	got := tsharkFlows(t, stopCapture(), "-d", "tcp.port==4739,cflow")
	same(t, got, want)
	sameTimes(t, got, want)
	for _, f := range got {
		if f.proto != 6 {
			t.Errorf("a flow of protocol %d was exported against accept_proto_filter: %v", f.proto, f)
		}
	}
}

func TestSeedConfigurationOverUDPReachesNfcapd(t *testing.T) {
	nstest.Need(t, "root", "nf_conntrack", "tool:conntrack", "tool:nfcapd", "tool:nfdump")
	ns, events := gateway(t)
	dir := t.TempDir()
	nfcapd := ns.Start(t, "nfcapd -b 127.0.0.1 -p 4739 -w "+dir+" -t 60 -e")
	nfcapd.WaitOutput("(?i)startup|bound|listen", time.Minute)
	p := start(t, ns, write(t, "ulogd.conf", seedConfig+"      proto=\"udp\"\n"))
	traffic(t, ns, 30)
	want := destroyed(t, ns, events, 30)
	time.Sleep(1500 * time.Millisecond)
	p.Stop(syscall.SIGTERM)
	ns.Do(t, func() { nstest.DrainUDP(t, "4739") })
	nfcapd.Stop(syscall.SIGTERM)
	got := nfdumpFlows(t, dir)
	same(t, got, want)
	if out := nfcapd.Output(); !regexp.MustCompile(`(?i)sequence (errors|failures): 0`).MatchString(out) {
		t.Errorf("nfcapd saw gaps in the sequence:\n%s", out)
	}
}

// gateway makes a namespace that tracks connections, with short timeouts so that their ends are
// seen soon, and listens to conntrack's own account.
func gateway(t *testing.T) (ns *nstest.NS, events *nstest.Proc) {
	ns = nstest.New(t)
	nstest.EnableConntrack(t, ns)
	ns.Sysctl(t, "net.netfilter.nf_conntrack_tcp_timeout_time_wait", "1")
	ns.Sysctl(t, "net.netfilter.nf_conntrack_tcp_timeout_close", "1")
	ns.Sysctl(t, "net.netfilter.nf_conntrack_udp_timeout", "1")
	events = ns.Start(t, "conntrack -E -e DESTROY -o ktimestamp,id,extended")
	events.WaitSubscribed(time.Minute)
	return ns, events
}

// collect accepts IPFIX connections and throws away what arrives: the capture is what counts.
func collect(t *testing.T, ns *nstest.NS) {
	t.Helper()
	ns.Serve(t, "127.0.0.1:4739", func(c net.Conn) { go io.Copy(io.Discard, c) })
}

// traffic makes n TCP connections with data both ways, over IPv4 and IPv6, and a few UDP exchanges.
func traffic(t *testing.T, ns *nstest.NS, n int) {
	t.Helper()
	ns.Do(t, func() {
		for i := range n {
			network, address := "tcp4", "127.0.0.1:0"
			if i%4 == 3 {
				network, address = "tcp6", "[::1]:0"
			}
			exchange(t, network, address, 100+37*i, 10+1001*i)
		}
		for range 5 {
			c, err := net.ListenPacket("udp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			c.WriteTo([]byte("to itself"), c.LocalAddr())
			c.Close()
		}
	})
}

func exchange(t *testing.T, network, address string, there, back int) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Write(make([]byte, there))
	io.ReadFull(s, make([]byte, there))
	s.Write(make([]byte, back))
	io.ReadFull(c, make([]byte, back))
	c.Close()
	io.Copy(io.Discard, s)
	s.Close()
}

var event = regexp.MustCompile(`\[DESTROY\].*?(tcp|udp) +(\d+).*? src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+) packets=(\d+) bytes=(\d+) src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+) packets=(\d+) bytes=(\d+)(.*)`)

// destroyed waits until conntrack has told of n TCP connections that do not go to the collector,
// and returns both directions of each.
func destroyed(t *testing.T, ns *nstest.NS, events *nstest.Proc, n int) (flows []flow) {
	t.Helper()
	nstest.Eventually(t, time.Minute, func() error {
		flows = nil
		ns.Run(t, "conntrack -L") // the kernel looks for dead entries when it lists them; by itself it takes its time
		for line := range strings.Lines(events.Output()) {
			m := event.FindStringSubmatch(line)
			if m == nil || m[1] != "tcp" || m[6] == "4739" {
				continue
			}
			num := func(s string) uint64 { v, _ := strconv.ParseUint(s, 10, 64); return v }
			proto := int(num(m[2]))
			start, end := between(m[15], "[start="), between(m[15], "[stop=")
			flows = append(flows,
				flow{m[3], m[4], int(num(m[5])), int(num(m[6])), proto, 0, 0, num(m[7]), num(m[8]), start, end},
				flow{m[9], m[10], int(num(m[11])), int(num(m[12])), proto, 0, 0, num(m[13]), num(m[14]), start, end})
		}
		if len(flows) < 2*n {
			return fmt.Errorf("conntrack has told of %d of %d connections", len(flows)/2, n)
		}
		return nil
	})
	return flows
}

// between returns the time of day in an attribute like [start=Sat Nov 21 01:54:07 2026].
func between(s, name string) string {
	_, rest, _ := strings.Cut(s, name)
	text, _, _ := strings.Cut(rest, "]")
	at, err := time.ParseInLocation(time.ANSIC, text, time.Local)
	if err != nil {
		return text
	}
	return at.UTC().Format(time.DateTime)
}

// tsharkFlows dissects the flows of a capture with tshark.
func tsharkFlows(t *testing.T, path string, more ...string) (flows []flow) {
	t.Helper()
	return pdmlFlows(t, tshark(t, path, more...))
}

// tshark dissects a capture; the answer is XML.
func tshark(t *testing.T, path string, more ...string) []byte {
	t.Helper()
	args := append([]string{"-r", path, "-T", "pdml"}, more...)
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	if bytes.Contains(out, []byte("Malformed")) {
		t.Errorf("tshark finds malformed packets")
	}
	return out
}

func nfdumpFlows(t *testing.T, dir string) (flows []flow) {
	t.Helper()
	out, err := exec.Command("nfdump", "-R", dir, "-q", "-o", "fmt:%sa,%da,%sp,%dp,%pr,%pkt,%byt,%in,%out", "-6", "-N").Output()
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
		num := func(s string) uint64 { v, _ := strconv.ParseUint(s, 10, 64); return v }
		proto := 6
		if r[4] != "TCP" && r[4] != "6" {
			proto = int(num(r[4]))
		}
		flows = append(flows, flow{src: r[0], dst: r[1], sport: int(num(r[2])), dport: int(num(r[3])), proto: proto, packets: num(r[5]), bytes: num(r[6]), in: int(num(r[7])), out: int(num(r[8]))})
	}
	return flows
}

// same compares flows without their times.
func same(t *testing.T, got, want []flow) {
	t.Helper()
	g, w := keys(got), keys(want)
	for _, k := range g {
		if !slices.Contains(w, k) {
			t.Errorf("exported, but conntrack did not tell of it: %s", k)
		}
	}
	for _, k := range w {
		if !slices.Contains(g, k) {
			t.Errorf("not exported: %s", k)
		}
	}
	if len(g) != len(w) {
		t.Errorf("%d records were exported, conntrack told of %d directions", len(g), len(w))
	}
}

// lag returns the time between two that are written as conntrack and tshark write them.
func lag(t *testing.T, from, to string) time.Duration {
	t.Helper()
	a, err := time.Parse(time.DateTime, from)
	b, err2 := time.Parse(time.DateTime, to)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	return b.Sub(a)
}

// sameTimes compares the start to the second, which is what conntrack prints. A flow ends with its
// last packet, its entry some time later: here a second or so, as the sysctls of the test have it.
func sameTimes(t *testing.T, got, want []flow) {
	t.Helper()
	times := map[string]flow{}
	for _, f := range want {
		times[f.key()] = f
	}
	for _, f := range got {
		w, ok := times[f.key()]
		if ok && (f.start != w.start || f.end > w.end || f.end < w.start || lag(t, f.end, w.end) > 3*time.Second) {
			t.Errorf("%s: from %s to %s, conntrack says %s to %s", f.key(), f.start, f.end, w.start, w.end)
		}
	}
}
