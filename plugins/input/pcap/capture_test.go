package pcap

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"ulogd/test/nstest"
	pt "ulogd/test/packettest"
	"ulogd/test/stacktest"
)

// flood sends UDP packets of 100 flows to port 9999 from two threads as fast as they can, and
// returns how many left.
func flood(t testing.TB, ns *nstest.NS, iface string, n int) int64 {
	t.Helper()
	var sent atomic.Int64
	var all sync.WaitGroup
	for s := range 2 {
		fd := socket(t, ns, iface)
		var frames [100][]byte
		for i := range frames {
			frames[i] = pt.Build(pt.Ethernet{}, pt.IPv4{Src: fmt.Sprint("192.0.2.", 10+s)}, pt.UDP{Src: uint16(1000 + i), Dst: 9999}, pt.Zeros(i*10))
		}
		all.Go(func() {
			for i := range n / 2 {
				if _, err := unix.Write(fd, frames[i%100]); err == nil {
					sent.Add(1)
				} else if !errors.Is(err, unix.ENOBUFS) {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	return sent.Load()
}

// TestEveryLivePacketIsCounted sends as fast as the machine does: packets in flows, those that the
// ring had no room for and those that the device dropped are all that were sent.
func TestEveryLivePacketIsCounted(t *testing.T) {
	for _, fanout := range []int{1, 3} {
		t.Run(fmt.Sprint("fanout ", fanout), func(t *testing.T) {
			a, b := cable(t)
			before := softnetDrops(t)
			d := stacktest.Start(t, fmt.Sprintf(`
[global]
stack = "in:PCAP,base:BASE,flow:FLOW,out:RECORD"
[in]
network_namespace_path = %q
interface = "vb"
filter = "udp port 9999"
fanout = %d
[out]
name = %q
keys = "orig.raw.pktcount"
`, b.Path(), fanout, t.Name()))
			sent := flood(t, a, "va", 600_000)
			d.Stop()
			var inFlows int64
			for _, line := range stacktest.Recorded(t.Name()) {
				var n int64
				fmt.Sscanf(line, "orig.raw.pktcount=%d", &n)
				inFlows += n
			}
			lost := d.Count("in", "ring")
			var device int64
			b.Do(t, func() { device = int64(deviceDrops(t, "vb")) })
			softnet := int64(softnetDrops(t) - before)
			if known := inFlows + lost + device; inFlows == 0 || known > sent || known+softnet < sent {
				t.Errorf("in flows %d, lost %d, device %d, softnet %d; sent %d\n%s", inFlows, lost, device, softnet, sent, d.Sums())
			}
			t.Logf("in flows %d, lost %d, device %d, softnet %d; sent %d", inFlows, lost, device, softnet, sent)
		})
	}
}

// TestHeldBlocks has an output so slow that all the ring waits in its queue: not one packet there
// may be overwritten, and those that found no room are counted.
func TestHeldBlocks(t *testing.T) {
	a, b := cable(t)
	d := stacktest.Start(t, fmt.Sprintf(`
[global]
stack = "in:PCAP,out:RECORD"
[in]
network_namespace_path = %q
interface = "vb"
filter = "udp port 9999"
[out]
name = %q
keys = "raw.pkt"
queue = 1000000
delay = "20ms"
`, b.Path(), t.Name()))
	send := wire(t, a, "va")
	const n = 30_000 // some 45 MB of a ring of 32 MiB
	for i := range n {
		send(pt.Build(pt.Ethernet{}, pt.IPv4{Src: fmt.Sprintf("10.0.%d.%d", i>>8, i&255)}, pt.UDP{Src: 1, Dst: 9999}, pt.Zeros(1400)))
	}
	d.Eventually("the ring runs over", func() bool { return d.Count("in", "ring") > 0 })
	if held := d.Stats("out").Held; held == 0 {
		t.Error("nothing waits in the queue")
	}
	d.Stop()
	lost, got := d.Count("in", "ring"), d.Stats("in").Out
	if got+lost != n {
		t.Errorf("%d packets and %d lost of %d", got, lost, n)
	}
	lines := stacktest.Recorded(t.Name())
	if dropped := d.Stats("out").Dropped; int64(len(lines))+dropped != got {
		t.Errorf("%d records, %d dropped of %d", len(lines), dropped, got)
	}
	last := -1
	for _, line := range lines {
		var i int
		if _, err := fmt.Sscanf(line[len("raw.pkt=")+2*12:][:8], "0a%x", &i); err != nil || i <= last || i >= n {
			t.Fatalf("packet %d follows %d: %v of %s", i, last, err, line)
		}
		last = i
	}
}

func TestStopTakesWhatTheRingHas(t *testing.T) {
	a, b := cable(t)
	send := wire(t, a, "va")
	frame := pt.Build(pt.Ethernet{}, pt.IPv4{}, pt.UDP{Src: 1, Dst: 9999}, pt.Zeros(40))
	for round := range 5 {
		d := stacktest.Start(t, fmt.Sprintf(`[global]
stack = "in:PCAP,out:NULL"
[in]
network_namespace_path = %q
interface = "vb"
filter = "udp port 9999"
`, b.Path()))
		for range 10 {
			send(frame)
		}
		d.Stop()
		if s := d.Stats("in"); s.Out != 10 {
			t.Errorf("round %d: %d of 10 packets", round, s.Out)
		}
	}
}

// TestDirection shows each end of the cable: what goes out by one comes in by the other.
func TestDirection(t *testing.T) {
	a, b := cable(t)
	start := func(ns *nstest.NS, iface string) *stacktest.Daemon {
		return stacktest.Start(t, fmt.Sprintf(`
[global]
stack = "in:PCAP,out:RECORD"
[in]
network_namespace_path = %q
interface = %q
filter = "udp port 9999"
[out]
name = %q
keys = "oob.ifindex_in, oob.ifindex_out, raw.type"
`, ns.Path(), iface, t.Name()+iface))
	}
	da, db := start(a, "va"), start(b, "vb")
	wire(t, a, "va")(pt.Build(pt.Ethernet{}, pt.IPv4{}, pt.UDP{Src: 1, Dst: 9999}, pt.Zeros(40)))
	da.Stop()
	db.Stop()
	for iface, key := range map[string]string{"va": "out", "vb": "in"} {
		ns := map[string]*nstest.NS{"va": a, "vb": b}[iface]
		want := fmt.Sprintf("[oob.ifindex_%s=%d raw.type=1]", key, index(t, ns, iface))
		if got := fmt.Sprint(stacktest.Recorded(t.Name() + iface)); got != want {
			t.Errorf("%s: %s, want %s", iface, got, want)
		}
	}
}

func TestInterfaceGoesDownAndUp(t *testing.T) {
	a, b := cable(t)
	d := stacktest.Start(t, fmt.Sprintf(`[global]
stack = "in:PCAP,out:NULL"
[in]
network_namespace_path = %q
interface = "vb"
`, b.Path()))
	for range 2 {
		b.Run(t, "ip link set vb down")
		d.Eventually("the daemon sees that it is down", func() bool { return d.Log.Has("WARN the interface is down") })
		b.Run(t, "ip link set vb up")
		send := wire(t, a, "va")
		before := d.Stats("in").Out
		d.Eventually("packets come again", func() bool {
			send(pt.Build(pt.Ethernet{}, pt.IPv4{}, pt.UDP{}, pt.Zeros(40)))
			return d.Stats("in").Out > before
		})
	}
}

// An interface is removed and made again, three times, each time with another index: it is captured
// again, of one ring and of two, and the way round where it is not there at the start. Nothing that
// was counted is lost.
func TestInterfaceIsRemovedAndMadeAgain(t *testing.T) {
	for _, settings := range []string{"", "fanout = 2", "wait = true", "wait = true\nfanout = 2"} {
		t.Run(settings, func(t *testing.T) {
			a, b := cable(t)
			waits := strings.HasPrefix(settings, "wait")
			if waits {
				b.Run(t, "ip link del vb")
			}
			d := stacktest.Start(t, fmt.Sprintf(`
[global]
stack = "in:PCAP,out:NULL"
[in]
network_namespace_path = %q
interface = "vb"
%s
`, b.Path(), settings))
			removals := int64(0)
			for range 3 {
				if waits {
					waits = false
				} else {
					b.Run(t, "ip link del vb")
					removals++
				}
				d.Eventually("the daemon sees that it is gone", func() bool { return d.Count("in", "removed") == removals })
				nstest.Veth(t, a, b, "va", "192.0.2.1/24", "vb", "192.0.2.2/24")
				send := wire(t, a, "va")
				before := d.Stats("in").Out
				d.Eventually("packets come again", func() bool {
					send(pt.Build(pt.Ethernet{}, pt.IPv4{}, pt.UDP{}, pt.Zeros(40)))
					return d.Stats("in").Out > before
				})
			}
			if !d.Log.Has("WARN the interface is there; capturing goes on") {
				t.Error("the log does not say that it is there again")
			}
		})
	}
}

// What has no link header comes back too, as ppp0 and a WireGuard interface do.
func TestTunnelIsRemovedAndMadeAgain(t *testing.T) {
	nstest.Need(t, "root")
	ns := nstest.New(t)
	ns.Sysctl(t, "net.ipv6.conf.default.disable_ipv6", "1")
	d := stacktest.Start(t, fmt.Sprintf(`[global]
stack = "in:PCAP,out:NULL"
[in]
network_namespace_path = %q
interface = "t0"
wait = true
filter = "udp port 9999"
`, ns.Path()))
	for i := range 2 {
		ns.Run(t, "ip tuntap add dev t0 mode tun")
		ns.Run(t, "ip link set t0 up")
		tun := tunnel(t, ns, "t0")
		before := d.Stats("in").Out
		d.Eventually("packets come", func() bool {
			if _, err := unix.Write(tun, pt.Build(pt.IPv4{}, pt.UDP{Src: 9999}, pt.Zeros(40))); err != nil {
				t.Fatal(err)
			}
			return d.Stats("in").Out > before
		})
		if i > 0 {
			break
		}
		ns.Run(t, "ip link del t0")
		d.Eventually("the daemon sees that it is gone", func() bool { return d.Count("in", "removed") == 1 })
	}
}

// TestNamespaceReturns: the namespace is deleted and made again under its name, with the interface
// or, for a while, without. What was captured in the old one is read, also by rings in a group.
func TestNamespaceReturns(t *testing.T) {
	for _, settings := range []string{"fanout = 1", "fanout = 3", "wait = true"} {
		t.Run(settings, func(t *testing.T) {
			a, b := cable(t)
			waits := strings.HasPrefix(settings, "wait")
			if waits {
				b.Remove(t)
			}
			d := stacktest.Start(t, fmt.Sprintf(`
[global]
stack = "in:PCAP,out:NULL"
[in]
network_namespace_path = %q
interface = "vb"
filter = "udp port 9999"
%s
`, b.Path(), settings))
			packet := pt.Build(pt.Ethernet{}, pt.IPv4{}, pt.UDP{Dst: 9999}, pt.Zeros(40))
			for round := range 3 {
				if waits || round > 0 {
					sent := int64(0)
					if !waits {
						send := wire(t, a, "va")
						sent = d.Stats("in").Out + 5
						for range 5 {
							send(packet)
						}
						b.Remove(t)
					}
					if round < 2 {
						absent := d.Count("in", "namespace_absent_seconds")
						d.Eventually("it is seen to be gone, and the time is counted",
							func() bool { return d.Count("in", "namespace_absent_seconds") > absent })
						if out := d.Stats("in").Out; out < sent {
							t.Errorf("%d packets, %d were sent before it went", out, sent)
						}
					}
					waits = false
					b.Make(t)
					if round < 2 {
						d.Eventually("it waits for the interface",
							func() bool { return strings.Contains(d.Log.String(), "WARN the interface is not there") })
					}
					// The cable goes with the old namespace, which the daemon keeps until it looks.
					d.Eventually("the old namespace is left", func() bool { return a.Cmd("ip link show va").Run() != nil })
					nstest.Veth(t, a, b, "va", "192.0.2.1/24", "vb", "192.0.2.2/24")
				}
				send := wire(t, a, "va")
				before := d.Stats("in").Out
				d.Eventually("packets come", func() bool {
					send(packet)
					return d.Stats("in").Out > before
				})
			}
			if log := d.Log.String(); !strings.Contains(log, "the network namespace is there again") ||
				!strings.Contains(log, b.Path()) {
				t.Errorf("the log does not say so:\n%s", log)
			}
			if waits := strings.HasPrefix(settings, "wait"); !waits && !d.Log.Has("the network namespace has gone away") {
				t.Errorf("the log does not say that it has gone:\n%s", d.Log)
			}
		})
	}
}

// A name that is not there is most likely wrong.
func TestInterfaceIsNotThere(t *testing.T) {
	nstest.Need(t, "root")
	ns := nstest.New(t)
	m := stacktest.Plan(t, "test.toml", fmt.Sprintf(`[global]
stack = "in:PCAP,out:NULL"
[in]
network_namespace_path = %q
interface = "vb"
`, ns.Path()), &stacktest.Log{}).Machine
	if err := m.Open(); err == nil || !strings.Contains(err.Error(), "capture from vb: ") || !strings.Contains(err.Error(), "wait = true") {
		t.Error(err)
	}
}
