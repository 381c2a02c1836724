// Ports of servers that come later, or come back.

package nstest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The ports below net.ipv4.ip_local_port_range (32768), which the kernel gives to no client while
// nobody listens there. Each test program begins at its own place among them.
const (
	firstPort, lastPort = 12000, 32000
	portsOfOne          = 100
)

var portsGiven atomic.Uint32

// FreePort returns a port of the loopback address 127.0.0.1, for a server that is started later or
// goes away and comes back.
func FreePort(t testing.TB) int {
	t.Helper()
	for range lastPort - firstPort {
		n := os.Getpid()*portsOfOne + int(portsGiven.Add(1)) - 1
		port := firstPort + n%(lastPort-firstPort)
		address := fmt.Sprint("127.0.0.1:", port)
		tcp, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		udp, err := net.ListenPacket("udp", address)
		if err == nil {
			Close(udp)
		}
		Close(tcp)
		if err == nil {
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// Close closes a socket whose address is used again, or must be nobody's. A program that is being
// started has a copy of every socket until it is loaded, which this waits for.
func Close(c interface{ Close() error }) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return c.Close()
}

// Listen listens at an address that a server before it may not have left yet.
func Listen(t testing.TB, network, address string) (l net.Listener) {
	t.Helper()
	again(t, func() (err error) {
		l, err = net.Listen(network, address)
		return err
	})
	return l
}

// ListenPacket does what Listen does, for datagrams.
func ListenPacket(t testing.TB, network, address string) (c net.PacketConn) {
	t.Helper()
	again(t, func() (err error) {
		c, err = new(net.ListenConfig).ListenPacket(context.Background(), network, address)
		return err
	})
	return c
}

func again(t testing.TB, try func() error) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
