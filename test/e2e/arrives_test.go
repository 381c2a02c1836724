// Over UDP nobody tells what is lost: what a collector stores is compared with what was sent, at
// nfcapd as Debian installs it, with the socket buffer that it gets by default.

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
	"ulogd/test/packettest"
)

// flowsFile writes a capture with so many flows, one packet each.
func flowsFile(t *testing.T, flows int) string {
	t.Helper()
	packets := make([]packettest.Packet, 0, flows)
	for i := range flows {
		at := time.Unix(1714564800, int64(i)*1e6)
		ip := packettest.IPv4{Src: fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), Dst: "192.0.2.1"}
		packets = append(packets, packettest.Packet{Time: at, Data: packettest.Build(packettest.Ethernet{}, ip, packettest.UDP{Src: 1024, Dst: 53}, packettest.Raw("?"))})
	}
	path := filepath.Join(t.TempDir(), "flows.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := packettest.WritePcap(f, packettest.LinkEthernet, packettest.Pcap{}, packets); err != nil {
		t.Fatal(err)
	}
	return path
}

// stored is nfcapd with the files that it writes.
type stored struct {
	*nstest.Proc
	dir string
}

func startNfcapd(t *testing.T, ns *nstest.NS) *stored { return startNfcapdAt(t, ns, "127.0.0.1") }

func startNfcapdAt(t *testing.T, ns *nstest.NS, address string) *stored {
	t.Helper()
	return startNfcapdAs(t, ns, "nfcapd -b "+address)
}

// startPatientNfcapd is nfcapd for tests of what is sent: its socket has room for all of it where net.core.rmem_max is
// large, and elsewhere it runs before everything else, however busy the machine is.
func startPatientNfcapd(t *testing.T, ns *nstest.NS, address string) *stored {
	t.Helper()
	return startNfcapdAs(t, ns, "chrt --fifo 10 nfcapd -B 4194304 -b "+address)
}

func startNfcapdAs(t *testing.T, ns *nstest.NS, command string) *stored {
	t.Helper()
	s := &stored{dir: t.TempDir()}
	s.Proc = ns.Start(t, command+" -p 9995 -t 3600 -w "+s.dir)
	ns.Do(t, func() {
		if !nstest.BoundUDP("9995", nil) {
			t.Error("nfcapd does not listen")
		}
	})
	return s
}

// flows ends nfcapd and returns how many flows nfdump finds in its files, and how many messages
// were missed by their numbers.
func (s *stored) flows(t *testing.T, ns *nstest.NS) (flows, gaps int) {
	t.Helper()
	ns.Do(t, func() { nstest.DrainUDP(t, "9995") })
	s.Stop(syscall.SIGTERM)
	out := ns.Run(t, "nfdump -I -R "+s.dir)
	number := func(name string) (n int) {
		m := regexp.MustCompile(`(?m)^` + name + `: (\d+)`).FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("nfdump does not tell %s:\n%s", name, out)
		}
		n, _ = strconv.Atoi(m[1])
		return n
	}
	return number("Flows"), number("Sequence failures")
}

// unread returns how many datagrams found no room in the sockets of a namespace.
func unread(t *testing.T, ns *nstest.NS) (n int) {
	t.Helper()
	m := regexp.MustCompile(`(?m)^Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors .*\nUdp: \d+ \d+ \d+ \d+ (\d+) `).
		FindStringSubmatch(ns.Run(t, "cat /proc/net/snmp"))
	if m == nil {
		t.Fatal("the kernel does not tell of full sockets")
	}
	n, _ = strconv.Atoi(m[1])
	return n
}

// outputs of a stack that may lose what it sends.
var datagramOutputs = []struct{ name, options string }{
	{"IPFIX", "proto = \"udp\"\n"},
	{"NETFLOW9", ""},
	{"NETFLOW5", ""},
}

// TestStormOfAFileArrives: every flow of a file arrives at a collector with the buffers of its
// distribution.
func TestStormOfAFileArrives(t *testing.T) {
	nstest.Need(t, "tool:nfcapd", "tool:nfdump")
	// Beside other tests it runs before everything else: what is shown is that its socket has room at the pace.
	flows, program := 30000, "chrt --fifo 10 nfcapd"
	if os.Getenv("ULOGD_STORMS") != "" { // with the machine for itself
		flows, program = 300000, "nfcapd"
	}
	file := flowsFile(t, flows)
	for _, o := range datagramOutputs {
		t.Run(o.name, func(t *testing.T) {
			ns := nstest.New(t)
			collector := startNfcapdAs(t, ns, program+" -b 127.0.0.1")
			config := write(t, "ulogd.toml", `
stack = "file:PCAP,base:BASE,flow:FLOW,out:`+o.name+`"
[file]
file = "`+file+`"
[out]
host = "127.0.0.1:9995"
`+o.options)
			began := time.Now()
			out := ns.Run(t, daemon+" -c "+config)
			t.Logf("%v\n%s", time.Since(began), out)
			if got, gaps := collector.flows(t, ns); got != flows || gaps != 0 {
				t.Errorf("nfcapd has %d of %d flows, and misses messages %d times", got, flows, gaps)
			}
		})
	}
}
