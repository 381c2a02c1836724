// A collector's socket, for tests that read datagrams themselves.

package stacktest

import (
	"net"
	"testing"
)

// ListenUDP listens on a free port of the loopback address, with room for what comes while the test
// is busy.
func ListenUDP(t testing.TB) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadBuffer(8 << 20)
	t.Cleanup(func() { c.Close() })
	return c
}
