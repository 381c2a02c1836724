// The collector of NetFlow v5.

package main

import (
	"encoding/binary"
	"net"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ulogd/test/nstest"
)

// NetFlow version 5: a header, and up to 30 records. Offsets are those of a record.
const (
	v5Header, v5Record         = 24, 48
	v5Source, v5Dest, v5Packet = 0, 4, 16
)

// collect takes NetFlow v5 on the loopback of a namespace until the test ends, and returns its
// address. A record's number is that of its connection, twice, and 1 for the direction towards 10/8.
// Its arrival is when the kernel put the datagram into the collector's buffer.
func collect(t testing.TB, ns *nstest.NS, l *ledger) (address string) {
	t.Helper()
	var conn *net.UDPConn
	ns.Do(t, func() {
		var err error
		if conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			t.Fatal(err)
		}
	})
	raw, err := conn.SyscallConn()
	if err == nil {
		err = control(raw, func(fd int) error {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 256<<20); err != nil {
				return err
			}
			return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf, oob := make([]byte, 2048), make([]byte, 128)
		for {
			n, k, _, _, err := conn.ReadMsgUDPAddrPort(buf, oob)
			if err != nil {
				return
			}
			l.records(buf[:n], stamp(oob[:k]))
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return conn.LocalAddr().String()
}

func control(raw syscall.RawConn, f func(fd int) error) (err error) {
	if refused := raw.Control(func(fd uintptr) { err = f(int(fd)) }); refused != nil {
		return refused
	}
	return err
}

// stamp is the kernel's time of a datagram: SCM_TIMESTAMPNS, the only control message.
func stamp(oob []byte) int64 {
	at := unix.CmsgLen(0)
	if len(oob) < at+int(unsafe.Sizeof(unix.Timespec{})) {
		return time.Now().UnixNano()
	}
	return (*unix.Timespec)(unsafe.Pointer(&oob[at])).Nano()
}

// records counts what a datagram tells.
func (l *ledger) records(m []byte, at int64) {
	be := binary.BigEndian
	if len(m) < v5Header || be.Uint16(m) != 5 || len(m) < v5Header+v5Record*int(be.Uint16(m[2:])) {
		l.strange.Add(1)
		return
	}
	packets := int64(0)
	for r := m[v5Header:]; len(r) >= v5Record; r = r[v5Record:] {
		number, direction := be.Uint32(r[v5Source:]), 0
		if number>>24 != ownNet {
			number, direction = be.Uint32(r[v5Dest:]), 1
		}
		if number>>24 != ownNet { // it belongs to what is sent besides
			continue
		}
		i := int(number&(1<<24-1))*2 + direction
		if i >= len(l.came) {
			l.strange.Add(1)
			continue
		}
		l.came[i] = at
		packets += int64(be.Uint32(r[v5Packet:]))
	}
	l.arrived.Add(packets)
}
