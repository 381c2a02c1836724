// Connections that end become lines.

package main

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/test/bench/measure"
	"ulogd/test/nstest"
)

func nfctScene(ulogd string, ulogd2 measure.Ulogd2) scene {
	const stack = "stack=ct1:NFCT,ip2str1:IP2STR,print1:PRINTFLOW,emu1:LOGEMU\n"
	const ends = "[ct1]\nhash_enable=0\nevent_mask=4\n" // nothing is remembered: the event alone
	load := ulogd2.Load("inpflow_NFCT", "filter_IP2STR", "filter_PRINTFLOW", "output_LOGEMU")
	return scene{
		name: "nfct", unit: "connection",
		title:    "Connections that end to lines, NFCT",
		programs: lineWriters(ulogd, ulogd2, load, stack, ends, ends+ulogd2Buffer),
		step:     nfctStep,
	}
}

func nfctStep(t testing.TB, p program, rate, seconds int) point {
	connections := rate * seconds
	nstest.ConntrackMax(t, connections+1000)
	l := newLedger(connections+1, 1) // they count from 1
	r := newRig(t, p)
	nstest.EnableConntrack(t, r.home)
	fifo, wait := readLines(t, r.dir, l)
	r.start(fifo, nstest.Subscribed)
	nstest.FillConntrack(t, r.home, connections)
	pt := r.play(l, connections, 1500*time.Millisecond, wait, func() (time.Duration, error) {
		return endConnections(l, r.conntrack(), connections, rate)
	}, nil)
	pt.Asked = rate
	return pt
}

// conntrack opens a socket to the kernel's table at home.
func (r *rig) conntrack() (fd int) {
	r.t.Helper()
	r.home.Do(r.t, func() {
		var err error
		fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { unix.Close(fd) })
	})
	return fd
}

// endConnections deletes connections one after the other. The kernel tells of each at once.
func endConnections(l *ledger, fd, connections, rate int) (time.Duration, error) {
	buf := make([]byte, 0, 16<<10)
	took, err := measure.Pace(connections, rate, func(first, n int) error {
		buf = buf[:0]
		at := now()
		for i := range n {
			number := first + i + 1
			buf = nstest.AppendDelete(buf, uint32(number))
			l.sent[number] = at
		}
		return unix.Sendto(fd, buf, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	})
	if err != nil {
		return took, err
	}
	n, _, err := unix.Recvfrom(fd, buf[:cap(buf)], unix.MSG_DONTWAIT)
	if err == nil && n >= unix.NLMSG_HDRLEN+4 { // answers are errors alone
		errno := -int32(binary.NativeEndian.Uint32(buf[unix.NLMSG_HDRLEN:cap(buf)]))
		return took, fmt.Errorf("delete a connection: %w", unix.Errno(errno))
	}
	return took, nil
}
