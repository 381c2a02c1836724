// A collector of NetFlow v5 that costs little.

package main

import (
	"encoding/binary"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/plugins/input/netlink/mmsg"
)

// sink is a collector that counts NetFlow v5 records, as cheaply as it can: it shares the
// processors with what is measured.
type sink struct {
	conn    *net.UDPConn
	records atomic.Int64
	done    chan struct{}
}

func newSink() (*sink, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 256<<20) })
	s := &sink{conn: conn, done: make(chan struct{})}
	go s.read(mmsg.New(raw))
	return s, nil
}

func (s *sink) read(r *mmsg.Receiver) {
	defer close(s.done)
	const room = 2048
	buf := make([]byte, mmsg.Most*room)
	for {
		n, err := r.WaitReceive(buf, room)
		if err != nil {
			return
		}
		for i := range n {
			if m := r.Datagram(i); len(m) >= 4 {
				s.records.Add(int64(binary.BigEndian.Uint16(m[2:])))
			}
		}
	}
}

func (s *sink) address() string { return s.conn.LocalAddr().String() }

func (s *sink) reset() { s.records.Store(0) }

// settle returns the records that have come once no more come.
func (s *sink) settle() int {
	for last := int64(-1); ; {
		time.Sleep(100 * time.Millisecond)
		n := s.records.Load()
		if n == last {
			return int(n)
		}
		last = n
	}
}

func (s *sink) close() {
	s.conn.Close()
	<-s.done
}
