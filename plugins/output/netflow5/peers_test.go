package netflow5

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/engine"
	_ "ulogd/plugins/filter/base"
	_ "ulogd/plugins/filter/flow"
	_ "ulogd/plugins/input/pcap"
	"ulogd/test/nstest"
	"ulogd/test/packettest"
	"ulogd/test/stacktest"
)

// trace writes a capture file of made traffic and returns what tshark counts of its IPv4 packets.
func trace(t *testing.T) (path string, packets, octets int) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "trace.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (packettest.Trace{Packets: 40000, Flows: 5000}).Write(f); err != nil {
		t.Fatal(err)
	}
	f.Close()
	out, err := exec.Command("tshark", "-r", path, "-Y", "ip", "-T", "fields", "-e", "ip.len").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		n, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		packets, octets = packets+1, octets+n
	}
	return path, packets, octets
}

// replay takes the file through PCAP, BASE and FLOW to the collector.
func replay(t *testing.T, path, collector string) engine.Snapshot {
	t.Helper()
	find := func(kind engine.Kind, name string) *engine.Instance {
		p, ok := engine.Default.Lookup(kind, name)
		if !ok {
			t.Fatalf("no %s", name)
		}
		return engine.NewInstance(p, strings.ToLower(name))
	}
	in := find(engine.InputKind, "PCAP")
	stacktest.Configure(t, in, "file="+path)
	return runStack(t, []string{"host=" + collector}, in, find(engine.FilterKind, "BASE"), find(engine.FilterKind, "FLOW"))
}

// nfdump, of what nfcapd received, prints the packets, octets and times of the capture, and no gap
// in the sequence.
func TestNfdumpPrintsTheSame(t *testing.T) {
	nstest.Need(t, "tool:nfcapd", "tool:nfdump", "tool:tshark")
	path, packets, octets := trace(t)
	dir := t.TempDir()
	port := strconv.Itoa(nstest.FreePort(t))
	nfcapd := exec.Command("nfcapd", "-b", "127.0.0.1", "-p", port, "-w", dir, "-B", "8000000")
	var log bytes.Buffer
	nfcapd.Stdout, nfcapd.Stderr = &log, &log
	if err := nfcapd.Start(); err != nil {
		t.Fatal(err)
	}
	defer nfcapd.Process.Kill()
	if !nstest.BoundUDP(port, nil) {
		t.Fatal("nfcapd does not listen")
	}
	st := replay(t, path, "127.0.0.1:"+port)
	nstest.DrainUDP(t, port)
	nfcapd.Process.Signal(syscall.SIGTERM)
	nfcapd.Wait()

	out, err := exec.Command("nfdump", "-R", dir, "-I").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, &log)
	}
	for name, want := range map[string]int{"Flows": int(st.Out), "Packets": packets, "Bytes": octets, "Sequence failures": 0} {
		m := regexp.MustCompile(`(?m)^` + name + `: (\d+)`).FindSubmatch(out)
		if m == nil {
			t.Fatalf("nfdump does not tell %s:\n%s", name, out)
		}
		if got, _ := strconv.Atoi(string(m[1])); got != want {
			t.Errorf("%s: nfdump says %d, want %d", name, got, want)
		}
	}
	first := regexp.MustCompile(`(?m)^First: (\d+)`).FindSubmatch(out)
	if first == nil || string(first[1]) != "1714564800" {
		t.Errorf("the first flow is not of 2024-05-01 12:00 UTC:\n%s", out)
	}
}

// tshark dissects every datagram and finds the same packets and octets.
func TestTsharkDissects(t *testing.T) {
	nstest.Need(t, "tool:tshark")
	path, packets, octets := trace(t)
	address, datagrams := collect(t)
	st := replay(t, path, address)
	var frames []packettest.Packet
	for _, msg := range datagrams() {
		frames = append(frames, packettest.Packet{Time: time.Unix(1, 0), Data: packettest.Build(packettest.IPv4{}, packettest.UDP{Src: 9999, Dst: 2055}, packettest.Raw(msg))})
	}
	sent := filepath.Join(t.TempDir(), "sent.pcap")
	f, err := os.Create(sent)
	if err != nil {
		t.Fatal(err)
	}
	if err := packettest.WritePcap(f, packettest.LinkRaw, packettest.Pcap{}, frames); err != nil {
		t.Fatal(err)
	}
	f.Close()
	fields := func(args ...string) []string {
		out, err := exec.Command("tshark", append([]string{"-r", sent, "-d", "udp.port==2055,cflow", "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,"}, args...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.FieldsFunc(string(out), func(r rune) bool { return r == ',' || r == '\n' })
	}
	sum := func(list []string) (n int) {
		for _, s := range list {
			v, _ := strconv.Atoi(s)
			n += v
		}
		return n
	}
	p, o := fields("-e", "cflow.packets"), fields("-e", "cflow.octets")
	if len(p) != int(st.Out) || sum(p) != packets || sum(o) != octets {
		t.Errorf("%d flows, %d packets, %d octets; want %d, %d, %d", len(p), sum(p), sum(o), st.Out, packets, octets)
	}
	if bad := fields("-Y", "_ws.malformed || _ws.expert.severity >= 0x600000", "-e", "frame.number"); len(bad) > 0 {
		t.Errorf("tshark finds fault with datagrams %v", bad)
	}
}
