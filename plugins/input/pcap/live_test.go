package pcap

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/plugins/input/pcap/filter"
	"ulogd/test/nstest"
	pt "ulogd/test/packettest"
)

// cable is two namespaces joined by a veth pair on which only the test speaks.
func cable(t *testing.T) (a, b *nstest.NS) {
	t.Helper()
	nstest.Need(t, "root", "veth")
	a, b = nstest.New(t), nstest.New(t)
	for _, ns := range []*nstest.NS{a, b} {
		ns.Sysctl(t, "net.ipv6.conf.default.disable_ipv6", "1")
	}
	nstest.Veth(t, a, b, "va", "192.0.2.1/24", "vb", "192.0.2.2/24")
	return a, b
}

// open opens a ring in a namespace until the test ends.
func open(t *testing.T, ns *nstest.NS, o liveOptions) *ring {
	t.Helper()
	if o.snaplen == 0 {
		o.snaplen = maxCaplen
	}
	var r *ring
	ns.Do(t, func() {
		var err error
		if r, err = openRing(o); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { r.close() })
	return r
}

// socket opens a socket that sends whole Ethernet frames.
func socket(t testing.TB, ns *nstest.NS, iface string) int {
	t.Helper()
	var fd int
	ifindex := index(t, ns, iface)
	ns.Do(t, func() {
		var err error
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			t.Fatal(err)
		}
		if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: ifindex}); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// index is that of an interface in its namespace.
func index(t testing.TB, ns *nstest.NS, iface string) (n int) {
	t.Helper()
	ns.Do(t, func() {
		i, err := net.InterfaceByName(iface)
		if err != nil {
			t.Fatal(err)
		}
		n = i.Index
	})
	return n
}

// wire returns what sends a frame.
func wire(t *testing.T, ns *nstest.NS, iface string) func(frame []byte) {
	t.Helper()
	fd := socket(t, ns, iface)
	return func(frame []byte) {
		if _, err := unix.Write(fd, frame); err != nil && !errors.Is(err, unix.ENOBUFS) {
			t.Fatal(err)
		}
	}
}

// captured is a frame of a ring as a test compares it.
type captured struct {
	frame
	data string
}

// collect reads n frames, or until nothing comes for a second.
func collect(t *testing.T, r *ring, n int) []captured {
	t.Helper()
	var all []captured
	var frames [100]frame
	for quiet := 0; len(all) < n && quiet < 10; {
		if !r.advance() {
			quiet++
			waitFor(t, r)
			continue
		}
		quiet = 0
		for k := r.next(frames[:]); k > 0; k = r.next(frames[:]) {
			for _, f := range frames[:k] {
				all = append(all, captured{f, string(r.block().Data[f.off : f.off+f.caplen])})
			}
		}
	}
	return all
}

// waitFor waits for a block, a tenth of a second at most.
func waitFor(t *testing.T, r *ring) {
	t.Helper()
	if _, err := poll([]unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN}}, time.Now().Add(100*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
}

// liveFrames are long enough to be sent as they are.
func liveFrames() [][]byte {
	var frames [][]byte
	for _, p := range pt.AllKinds() {
		if p.Wire == 0 && len(p.Data) < 1500 {
			frames = append(frames, p.Data)
		}
	}
	return frames
}

func TestLiveFramesAreThoseSent(t *testing.T) {
	t.Parallel()
	a, b := cable(t)
	in := open(t, b, liveOptions{iface: "vb", promisc: true})
	out := open(t, a, liveOptions{iface: "va"})
	send := wire(t, a, "va")
	sent := liveFrames()
	before := time.Now()
	for _, f := range sent {
		send(f)
	}
	for name, r := range map[string]*ring{"received": in, "sent": out} {
		got := collect(t, r, len(sent))
		if len(got) != len(sent) {
			t.Fatalf("%s: %d frames of %d", name, len(got), len(sent))
		}
		for i, c := range got {
			if c.data != string(sent[i]) || int(c.wirelen) != len(sent[i]) {
				t.Fatalf("%s: frame %d is % x, want % x", name, i, c.data, sent[i])
			}
			if at := time.Unix(0, c.time); at.Before(before.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
				t.Fatalf("%s: frame %d is of %v", name, i, at)
			}
			if want := map[string]uint16{"received": portIn, "sent": portOut}[name]; c.port != want {
				t.Fatalf("%s: frame %d is of port %d", name, i, c.port)
			}
		}
		if d, err := r.drops(); d != 0 || err != nil {
			t.Errorf("%s: %d drops, %v", name, d, err)
		}
	}
}

// TestLiveFilterIsThatOfFiles sends tagged frames too: the kernel takes tags off before its filters
// run.
func TestLiveFilterIsThatOfFiles(t *testing.T) {
	t.Parallel()
	a, b := cable(t)
	send := wire(t, a, "va")
	sent := liveFrames()
	for _, e := range []string{
		"", "ip", "not vlan", "vlan", "vlan 100", "vlan 7 and vlan 101", "vlan and udp port 53", "vlan or ip6", "mpls 1000 and tcp",
		"vlan 100 and mpls and host 10.0.0.1", "not (vlan and tcp)", "less 64", "greater 100 and vlan", "arp host 10.0.0.1",
	} {
		t.Run(e, func(t *testing.T) {
			r := open(t, b, liveOptions{iface: "vb", filter: e, promisc: true})
			var want []string
			for _, f := range sent {
				if e == "" {
					want = append(want, string(f))
				} else if c, err := filter.Compile(e); err != nil {
					t.Fatal(err)
				} else if h, _ := network(linkEthernet, f); c.Match(f[h.net:], h.etherType, uint32(len(f))) {
					want = append(want, string(f))
				}
			}
			if len(want) == 0 {
				t.Fatal("no frame shows that it works")
			}
			for _, f := range sent {
				send(f)
			}
			got := collect(t, r, len(want))
			if len(got) != len(want) {
				t.Fatalf("%d frames, want %d", len(got), len(want))
			}
			for i := range got {
				if got[i].data != want[i] {
					t.Fatalf("frame %d is % x, want % x", i, got[i].data, want[i])
				}
			}
		})
	}
}

func TestLiveSnaplen(t *testing.T) {
	t.Parallel()
	a, b := cable(t)
	r := open(t, b, liveOptions{iface: "vb", snaplen: 60, promisc: true})
	send := wire(t, a, "va")
	send(pt.Build(pt.Ethernet{}, pt.VLAN{ID: 5}, pt.IPv4{}, pt.UDP{}, pt.Zeros(500)))
	got := collect(t, r, 1)
	if len(got) != 1 || got[0].caplen != 64 || got[0].wirelen != 18+28+500 { // the tag comes on top
		t.Fatalf("%+v", got)
	}
}

func TestLoopbackShowsEachPacketOnce(t *testing.T) {
	t.Parallel()
	nstest.Need(t, "root")
	ns := nstest.New(t)
	r := open(t, ns, liveOptions{iface: "lo", filter: "udp port 9999"})
	ns.Do(t, func() {
		c, err := net.Dial("udp", "127.0.0.1:9999")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for i := range 5 {
			fmt.Fprintf(c, "packet %d", i) // a refusal comes back, and is no matter here
			fmt.Fprintf(c, "packet %d", i)
		}
	})
	got := collect(t, r, 100)
	seen := map[string]int{}
	for _, c := range got {
		seen[c.data[14+20+8:]]++
	}
	for i := range 5 {
		if n := seen[fmt.Sprintf("packet %d", i)]; n < 1 || n > 2 {
			t.Errorf("packet %d, sent once or twice, is seen %d times", i, n)
		}
	}
	if len(got) == 0 || len(got) > 10 {
		t.Errorf("%d packets of at most 10", len(got))
	}
}

func TestInterfaceWithoutLinkHeader(t *testing.T) {
	t.Parallel()
	nstest.Need(t, "root")
	ns := nstest.New(t)
	ns.Sysctl(t, "net.ipv6.conf.default.disable_ipv6", "1")
	ns.Run(t, "ip tuntap add dev t0 mode tun")
	ns.Run(t, "ip addr add 192.0.2.1/24 dev t0")
	ns.Run(t, "ip link set t0 up")
	tun := tunnel(t, ns, "t0")
	r := open(t, ns, liveOptions{iface: "t0", filter: "ip and udp port 9999 or icmp"})
	udp := pt.Build(pt.IPv4{Src: "192.0.2.7", Dst: "192.0.2.1"}, pt.UDP{Src: 9999, Dst: 1}, pt.Raw("through the tunnel"))
	for _, p := range [][]byte{udp, pt.Build(pt.IPv4{}, pt.TCP{Dst: 9999})} { // the second is not taken
		if _, err := unix.Write(tun, p); err != nil {
			t.Fatal(err)
		}
	}
	got := collect(t, r, 1)
	if len(got) < 1 {
		t.Fatal("nothing captured")
	}
	h, ok := network(r.link, []byte(got[0].data))
	if !ok || h.etherType != typeIPv4 || int(h.ifin) != r.ifindex || got[0].data[h.net:] != string(udp) {
		t.Errorf("%+v, %v of % x", h, ok, got[0].data)
	}
	if got[0].port != portIn || int(got[0].wirelen) != len(got[0].data) {
		t.Errorf("%+v", got[0].frame)
	}
}

// tunnel opens the user's end of a tun device.
func tunnel(t *testing.T, ns *nstest.NS, name string) int { return machine(t, ns, name, unix.IFF_TUN) }

// machine opens the user's end of a tun or tap device, as programs that are a virtual machine do.
func machine(t *testing.T, ns *nstest.NS, name string, flags uint16) int {
	t.Helper()
	var fd int
	ns.Do(t, func() {
		var err error
		if fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
			t.Fatal(err)
		}
		request, err := unix.NewIfreq(name)
		if err != nil {
			t.Fatal(err)
		}
		request.SetUint16(flags | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// TestRingThatNobodyReads fills: what is captured and what is dropped must be what was sent.
func TestRingThatNobodyReads(t *testing.T) {
	t.Parallel()
	a, b := cable(t)
	r := open(t, b, liveOptions{iface: "vb", filter: "udp port 9999", promisc: true})
	send := wire(t, a, "va")
	const n = 40000
	frame := pt.Build(pt.Ethernet{}, pt.IPv4{}, pt.UDP{Src: 1, Dst: 9999}, pt.Zeros(1400))
	other := pt.Build(pt.Ethernet{}, pt.IPv4{}, pt.UDP{Src: 1, Dst: 9998}, pt.Zeros(40))
	for range n {
		send(frame)
		send(other)
	}
	got := len(collect(t, r, n))
	dropped, err := r.drops()
	if err != nil {
		t.Fatal(err)
	}
	var device, softnet int
	b.Do(t, func() { device, softnet = deviceDrops(t, "vb"), softnetDrops(t) })
	if dropped == 0 || got+int(dropped)+device > n || got+int(dropped)+device+softnet < n {
		t.Errorf("captured %d, dropped %d, device %d, softnet %d; sent %d", got, dropped, device, softnet, n)
	}
	if again, _ := r.drops(); again != 0 {
		t.Errorf("%d drops are told twice", again)
	}
	for range 10 {
		send(frame)
	}
	if got := len(collect(t, r, 10)); got != 10 {
		t.Errorf("after that, %d of 10 are captured", got)
	}
}

// deviceDrops are what the receiving interface dropped itself.
func deviceDrops(t *testing.T, name string) int {
	t.Helper()
	for _, line := range strings.Split(read(t, "/proc/thread-self/net/dev"), "\n") {
		if f := strings.Fields(strings.Replace(line, ":", " ", 1)); len(f) > 4 && f[0] == name {
			var n int
			fmt.Sscan(f[4], &n)
			return n
		}
	}
	t.Fatalf("no interface %s", name)
	return 0
}

// softnetDrops are what the machine's queues between devices and protocols dropped, since it was
// started.
func softnetDrops(t *testing.T) (sum int) {
	t.Helper()
	for _, line := range strings.Split(read(t, "/proc/net/softnet_stat"), "\n") {
		var processed, dropped int
		fmt.Sscanf(line, "%x %x", &processed, &dropped)
		sum += dropped
	}
	return sum
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSharedRingsGetWholeFlows(t *testing.T) {
	t.Parallel()
	a, b := cable(t)
	rings := []*ring{
		open(t, b, liveOptions{iface: "vb", filter: "udp", promisc: true}),
		open(t, b, liveOptions{iface: "vb", filter: "udp", promisc: true}),
	}
	if err := share(rings); err != nil {
		t.Fatal(err)
	}
	send := wire(t, a, "va")
	const flows, each = 50, 4
	for i := range flows * each {
		send(pt.Build(pt.Ethernet{}, pt.IPv4{}, pt.UDP{Src: uint16(1000 + i%flows), Dst: 53}))
	}
	where := map[string]int{}
	total := 0
	for i, r := range rings {
		for _, c := range collect(t, r, flows*each) {
			port := c.data[34:36]
			if was, seen := where[port]; seen && was != i {
				t.Fatalf("flow % x is in both rings", port)
			}
			where[port] = i
			total++
		}
	}
	if total != flows*each || len(where) != flows {
		t.Errorf("%d packets of %d flows, sent %d of %d", total, len(where), flows*each, flows)
	}
}

func TestLiveErrors(t *testing.T) {
	t.Parallel()
	nstest.Need(t, "root")
	ns := nstest.New(t)
	ns.Do(t, func() {
		for _, c := range []struct {
			o    liveOptions
			want string
		}{
			{liveOptions{iface: "nope0"}, "capture from nope0: "},
			{liveOptions{iface: "lo", filter: "ether"}, `"ether" is not supported`},
		} {
			if _, err := openRing(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v: %v, want %s", c.o, err, c.want)
			}
		}
	})
}
