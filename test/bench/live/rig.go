// What all scenes are played with: namespaces with a cable, programs on one processor, the sender on
// the other.

package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/test/bench/measure"
	"ulogd/test/nstest"
)

// The processors, of the sender, with what takes the records, and of the program.
const senderCPU, programCPU = 0, 1

const (
	device = "eth0"
	ownNet = 10 // sources are in 10/8: their lower 24 bits are a number

	// Hardware addresses of the two ends.
	homeMAC, farMAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
)

// rig is where one program runs through one step.
type rig struct {
	t         testing.TB
	home, far *nstest.NS // the program is at home
	dir       string
	program   program
	proc      *nstest.Proc
}

// newRig lays the cable. Nothing but what is sent goes over it.
func newRig(t testing.TB, p program) *rig {
	t.Helper()
	if runtime.NumCPU() < 2 && runtime.GOMAXPROCS(0) < 2 {
		t.Fatal("sender and program need a processor each, this machine has one")
	}
	if err := measure.Confine(senderCPU); err != nil {
		t.Fatal(err)
	}
	runtime.GOMAXPROCS(8) // goroutines in system calls keep none of the others waiting
	r := &rig{t: t, home: nstest.New(t), far: nstest.New(t), dir: t.TempDir(), program: p}
	for _, ns := range []*nstest.NS{r.home, r.far} {
		ns.Sysctl(t, "net.ipv6.conf.default.disable_ipv6", "1")
	}
	nstest.Veth(t, r.home, r.far, device, "192.0.2.1/24", device, "192.0.2.2/24")
	r.home.Run(t, "ip link set "+device+" arp off address "+homeMAC)
	r.far.Run(t, "ip link set "+device+" arp off address "+farMAC)
	return r
}

// start starts the program and waits until it listens.
func (r *rig) start(sink string, ready func(pid int) bool) {
	r.t.Helper()
	command := r.program.command(r.dir, sink)
	r.proc = r.home.Start(r.t, fmt.Sprintf("taskset -c %d %s", programCPU, command))
	nstest.Eventually(r.t, time.Minute, func() error {
		if !ready(r.proc.PID()) {
			return fmt.Errorf("%s does not listen:\n%s", r.program.name, r.proc.Output())
		}
		return nil
	})
	time.Sleep(300 * time.Millisecond) // it may still set its socket
}

// play has the sender send, and then what has to follow, waits for what arrives and ends the program.
// When nothing has arrived for so long, nothing more will; what the program tells at its end comes
// before wait returns. Both wait and follow may be nil.
func (r *rig) play(l *ledger, sent int, quiet time.Duration, wait func(), send func() (time.Duration, error),
	follow func() error,
) point {
	r.t.Helper()
	before := measure.CPUTime(r.proc.PID())

	if r.program.held {
		r.proc.Signal(syscall.SIGSTOP)
	}
	took, err := send()
	if r.program.held {
		r.proc.Signal(syscall.SIGCONT)
	}
	if err != nil {
		r.t.Fatal(err)
	}

	if follow != nil {
		if err := follow(); err != nil {
			r.t.Fatal(err)
		}
	}
	arrived := l.settle(r.t, sent, quiet)
	cpu, until := measure.CPUTime(r.proc.PID())-before, time.Now()
	r.proc.Stop(syscall.SIGTERM)
	if wait != nil {
		wait()
	}
	p := point{Sent: sent, Offered: float64(sent) / took.Seconds(), Own: -1}
	p.Arrived = int(l.settle(r.t, sent, 300*time.Millisecond))
	p.Nanos = float64(cpu.Nanoseconds()) / float64(max(1, arrived))
	p.P50, p.P99 = l.latencies(until)
	if r.program.ours {
		p.Own = ownCount(r.proc.Output())
	}
	if n := l.strange.Load(); n > 0 {
		r.t.Errorf("%s told %d times of what was not sent, or told twice", r.program.name, n)
	}
	return p
}

var losses = regexp.MustCompile(`(?m)summary .*?\b(?:lost|dropped)=\d+.*$`)

// ownCount adds up what the daemon says in its last lines that it has lost: to the kernel (lost), and
// by itself (dropped).
func ownCount(output string) (n int) {
	for _, line := range losses.FindAllString(output, -1) {
		for _, word := range strings.Fields(line) {
			name, value, _ := strings.Cut(word, "=")
			if k, err := strconv.Atoi(value); err == nil && (name == "lost" || name == "dropped") {
				n += k
			}
		}
	}
	return n
}

// cable returns a socket that puts whole frames onto the cable at its far end.
func (r *rig) cable() (fd int) {
	r.t.Helper()
	r.far.Do(r.t, func() {
		fail := func(what string, err error) {
			if err != nil {
				r.t.Fatalf("%s: %v", what, err)
			}
		}
		link, err := net.InterfaceByName(device)
		fail("find "+device, err)
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0) // 0: it receives nothing
		fail("open a packet socket", err)
		r.t.Cleanup(func() { unix.Close(fd) })
		fail("bypass the queue", unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1))
		fail("bind to "+device, unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: link.Index}))
	})
	return fd
}

// received is how many frames came out of the cable at home.
func (r *rig) received() (n int) {
	r.t.Helper()
	text := r.home.Run(r.t, "cat /sys/class/net/"+device+"/statistics/rx_packets")
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// Offsets in a frame: Ethernet, IPv4 without options.
const (
	ipAt   = 14
	portAt = ipAt + 20 // the transport header begins with the ports
)

// frame returns an Ethernet frame with an IPv4 header of that protocol, and payload zeros.
func frame(destination string, protocol byte, length int) []byte {
	f := make([]byte, ipAt+length)
	to, _ := net.ParseMAC(destination)
	from, _ := net.ParseMAC(farMAC)
	copy(f, to)
	copy(f[6:], from)
	binary.BigEndian.PutUint16(f[12:], unix.ETH_P_IP)
	ip := f[ipAt:]
	ip[0], ip[8], ip[9] = 0x45, 64, protocol
	return f
}

// address writes the addresses and the length of a frame's IPv4 header, and its checksum.
func address(f []byte, source, destination uint32, length int) {
	be, ip := binary.BigEndian, f[ipAt:]
	be.PutUint16(ip[2:], uint16(length))
	be.PutUint16(ip[10:], 0)
	be.PutUint32(ip[12:], source)
	be.PutUint32(ip[16:], destination)
	sum := uint32(0)
	for i := 0; i < 20; i += 2 {
		sum += uint32(be.Uint16(ip[i:]))
	}
	sum = sum&0xffff + sum>>16
	sum = sum&0xffff + sum>>16
	be.PutUint16(ip[10:], ^uint16(sum))
}

// now is the time that ledgers are kept in.
func now() int64 { return time.Now().UnixNano() }
