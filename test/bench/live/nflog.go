// Packets that a rule logs become lines.

package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/test/bench/measure"
)

const (
	udpHeaders = 28 // IPv4 and UDP
	loggedSize = udpHeaders + 64
	discard    = 9

	// last is how many of the packets follow when the others have arrived, or are lost: a reader learns
	// from the numbers of what follows what it has missed.
	last = 64

	// logQuiet is longer than the second that the kernel may keep packets of a group for.
	logQuiet = 1500 * time.Millisecond

	// socketBuffer is what waits for a program in the kernel: the default of NFLOG and NFCT.
	socketBuffer = 8 << 20
)

func nflogScene(ulogd string, ulogd2 measure.Ulogd2, threshold int) scene {
	const stack = "stack=log1:NFLOG,base1:BASE,ifi1:IFINDEX,ip2str1:IP2STR,print1:PRINTPKT,emu1:LOGEMU\n"
	load := ulogd2.Load("inppkt_NFLOG", "raw2packet_BASE", "filter_IFINDEX", "filter_IP2STR", "filter_PRINTPKT",
		"output_LOGEMU")
	return scene{
		name: fmt.Sprintf("nflog-%d", threshold), unit: "packet",
		title:    fmt.Sprintf("Logged packets to lines, NFLOG with queue threshold %d", threshold),
		programs: lineWriters(ulogd, ulogd2, load, stack, "[log1]\ngroup=1\n", "[log1]\ngroup=1\n"+ulogd2Buffer),
		step: func(t testing.TB, p program, rate, seconds int) point {
			return nflogStep(t, p, threshold, rate, seconds)
		},
	}
}

// ulogd2Buffer gives ulogd2 the socket buffer that this daemon has by default. It takes a size that is
// below the largest alone.
var ulogd2Buffer = fmt.Sprintf("netlink_socket_buffer_size=%d\nnetlink_socket_buffer_maxsize=%d\n",
	socketBuffer, socketBuffer+1)

// lineWriters returns both daemons with the same stack.
func lineWriters(ulogd string, ulogd2 measure.Ulogd2, load, stack, ours, theirs string) []program {
	emu := "[emu1]\nfile=%q\n"
	return []program{
		{name: "ulogd", ours: true, command: func(dir, sink string) string {
			return ulogd + " -v -c " + write(dir, "ulogd.conf", stack+ours+fmt.Sprintf(emu, sink))
		}},
		{name: "ulogd2", command: func(dir, sink string) string {
			text := load + "logfile=\"/dev/null\"\n" + stack + theirs + fmt.Sprintf(emu, sink)
			return ulogd2.Program + " -c " + write(dir, "ulogd2.conf", text)
		}},
	}
}

func nflogStep(t testing.TB, p program, threshold, rate, seconds int) point {
	packets := rate*seconds + last
	l := newLedger(packets, 1)
	r := newRig(t, p)
	r.home.Nft(t, fmt.Sprintf(`table inet t { chain pre { type filter hook prerouting priority -500;
		udp dport %d log prefix "bench " group 1 snaplen 96 queue-threshold %d drop; }; }`, discard, threshold))
	fifo, wait := readLines(t, r.dir, l)
	r.start(fifo, logs)
	before := r.received()
	fd := r.cable()
	pt := r.play(l, packets, logQuiet, wait, func() (time.Duration, error) {
		return sendUDP(l, fd, 0, packets-last, rate)
	}, func() error {
		l.settle(t, packets-last, logQuiet)
		_, err := sendUDP(l, fd, packets-last, last, rate)
		return err
	})
	if got := r.received() - before; got != packets {
		t.Errorf("%d packets came out of the cable, not the %d that went in", got, packets)
	}
	pt.Asked = rate
	return pt
}

// logs reports whether a group of the kernel's log has a reader in the program's namespace.
func logs(pid int) bool {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/netfilter/nfnetlink_log", pid))
	return len(text) > 0
}

// sendUDP sends packets with the numbers from from.
func sendUDP(l *ledger, fd, from, packets, rate int) (time.Duration, error) {
	be := binary.BigEndian
	var frames [measure.MostAtOnce][]byte
	for i := range frames {
		f := frame(homeMAC, unix.IPPROTO_UDP, loggedSize)
		be.PutUint16(f[portAt+2:], discard)
		be.PutUint16(f[portAt+4:], loggedSize-20)
		frames[i] = f
	}
	s := measure.NewSender(fd, frames[:])
	return measure.Pace(packets, rate, func(first, n int) error {
		at := now()
		for i := range n {
			number := from + first + i
			address(frames[i], ownNet<<24|uint32(number), 0xc0000201, loggedSize) // to 192.0.2.1
			be.PutUint16(frames[i][portAt:], uint16(1024+number%50000))
			l.sent[number] = at
		}
		return s.Send(n)
	})
}
