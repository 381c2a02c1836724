// Packets of an interface become flows, and NetFlow version 5.

package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/test/bench/measure"
)

// A connection is 20 packets of TCP, ten each way. Its first 17 come spread among those of others,
// its last three, with both FINs, at once.
const (
	perConnection = 20
	closing       = 17
	spread        = 50 // connections begin between two packets of one
	dataOctets    = 128
	tcpHeaders    = 40 // IPv4 and TCP

	finAfter = time.Second // programs wait for more of a connection after its FINs
)

// maxFlows is how many flows every program may keep: the default of FLOW.
const maxFlows = 262144

// ring is what waits for a program in the kernel: the default of PCAP.
const ring = 32 << 20

func flowScene(ulogd string) scene {
	return scene{
		name: "flows", unit: "packet",
		title: "Captured packets to flows, NetFlow v5",
		programs: []program{
			meter(ulogd, "", ""),
			{name: "softflowd", command: func(dir, sink string) string {
				return fmt.Sprintf("softflowd -d -i %s -n %s -v 5 -m %d -B %d -t tcp.fin=1 -t expint=1 -p %s -c %s",
					device, sink, maxFlows, ring, filepath.Join(dir, "pid"), filepath.Join(dir, "ctl"))
			}},
			{name: "pmacctd", command: func(dir, sink string) string {
				return "pmacctd -f " + write(dir, "pmacctd.conf", fmt.Sprintf(`daemonize: false
pcap_interface: %s
plugins: nfprobe
nfprobe_receiver: %s
nfprobe_version: 5
nfprobe_maxflows: %d
nfprobe_timeouts: tcp.fin=1:expint=1
aggregate: src_host,dst_host,src_port,dst_port,proto,tos
plugin_buffer_size: 10240
plugin_pipe_size: 10240000
`, device, sink, maxFlows))
			}},
		},
		step: flowStep,
	}
}

// meter is this daemon, with further options of its flow cache and of its output.
func meter(ulogd, cache, output string) program {
	return program{name: "ulogd", ours: true, command: func(dir, sink string) string {
		text := fmt.Sprintf(`stack = "p:PCAP,b:BASE,f:FLOW,n:NETFLOW5"
[p]
interface = %q
[f]
%s
[n]
host = %q
%s
`, device, cache, sink, output)
		return ulogd + " -v -c " + write(dir, "ulogd.toml", text)
	}}
}

func flowStep(t testing.TB, p program, rate, seconds int) point {
	return flowsBeside(t, p, 0, rate, seconds)
}

// flowsBeside is a step beside which so many flows live that take no packets.
func flowsBeside(t testing.TB, p program, living, rate, seconds int) point {
	connections := max(1, rate*seconds/perConnection)
	l := newLedger(connections, 2)
	r := newRig(t, p)
	r.start(collect(t, r.home, l), captures)
	sent := connections * perConnection
	fd := r.cable()
	if living > 0 {
		if err := sendLiving(fd, living); err != nil {
			t.Fatal(err)
		}
		measure.WaitIdle(r.proc.PID())
	}
	before := r.received()
	pt := r.play(l, sent, finAfter+5*time.Second, nil, func() (time.Duration, error) {
		return sendConnections(l, fd, connections, rate)
	}, func() error {
		if !p.held { // its ring may still be full: the trickle would count as lost
			measure.WaitIdle(r.proc.PID())
			r.trickle(fd)
		}
		return nil
	})
	if got := r.received() - before; got < sent {
		t.Errorf("%d packets came out of the cable, not the %d that went in", got, sent)
	}
	pt.Asked = rate
	return pt
}

// captures reports whether a packet socket is open in the program's namespace: a line follows the
// heading.
func captures(pid int) bool {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/packet", pid))
	lines := 0
	for _, c := range text {
		if c == '\n' {
			lines++
		}
	}
	return lines > 1
}

// sendConnections sends connections with the numbers from 0.
func sendConnections(l *ledger, fd, connections, rate int) (time.Duration, error) {
	var frames [measure.MostAtOnce][]byte
	for i := range frames {
		// To somebody else: it is captured, and the host has no work with it.
		frames[i] = frame("02:00:00:00:00:99", unix.IPPROTO_TCP, tcpHeaders+dataOctets)
	}
	s := measure.NewSender(fd, frames[:])
	next := &order{connections: connections}
	return measure.Pace(connections*perConnection, rate, func(_, n int) error {
		at := now()
		for i := range n {
			c, packet := next.packet()
			length := tcp(frames[i], c, packet)
			s.Resize(i, ipAt+length)
			if packet == perConnection-1 {
				l.sent[c] = at
			}
		}
		return s.Send(n)
	})
}

// trickle sends a packet of a connection that does not count every millisecond, until the step is over: a
// network is never silent, and softflowd looks for what has ended when a packet comes.
func (r *rig) trickle(fd int) {
	f := frame("02:00:00:00:00:99", unix.IPPROTO_UDP, udpHeaders)
	address(f, trickler, server, udpHeaders)
	s := measure.NewSender(fd, [][]byte{f})
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for s.Send(1) == nil {
			select {
			case <-over:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	r.t.Cleanup(func() {
		close(over)
		<-done
	})
}

// order is the order of packets: in each round one connection begins, and those that began before
// send one packet each, the closing three together.
type order struct {
	connections int
	round, next int
}

func (o *order) packet() (connection, packet int) {
	for {
		packet = o.next
		connection = o.round - min(packet, closing)*spread
		if o.next++; o.next == perConnection {
			o.round, o.next = o.round+1, 0
		}
		if connection >= 0 && connection < o.connections {
			return connection, packet
		}
	}
}

const (
	fin, syn, ack = 1, 2, 16

	clientPort, serverPort = 1024, 443
	server                 = 0xc6336401 // 198.51.100.1
	trickler               = 0xc0000202 // 192.0.2.2
)

// tcp writes a packet of a connection and returns its length.
func tcp(f []byte, connection, packet int) (length int) {
	flags, client, length := byte(ack), packet%2 == 1, tcpHeaders
	switch {
	case packet == 0:
		flags, client = syn, true
	case packet == 1:
		flags, client = syn|ack, false
	case packet == 2, packet == perConnection-1:
		client = true
	case packet == closing:
		flags, client = fin|ack, true
	case packet == closing+1:
		flags, client = fin|ack, false
	default:
		length += dataOctets
	}
	be := binary.BigEndian
	mine, its := uint32(ownNet)<<24|uint32(connection), uint32(server)
	from, to := uint16(clientPort+connection%50000), uint16(serverPort)
	if !client {
		mine, its, from, to = its, mine, to, from
	}
	address(f, mine, its, length)
	t := f[portAt:]
	be.PutUint16(t, from)
	be.PutUint16(t[2:], to)
	be.PutUint32(t[4:], uint32(packet*dataOctets))
	t[12], t[13] = 5<<4, flags
	return length
}

// write writes a configuration file and returns its path.
func write(dir, name, text string) string {
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		panic(err) // the folder is ours
	}
	return path
}
