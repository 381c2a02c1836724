// Servers inside a namespace.

package nstest

import (
	"net"
	"testing"
)

// Serve listens at a TCP address of the namespace until the test ends, and gives each connection to
// serve. The next one waits until serve returns.
func (ns *NS) Serve(t testing.TB, address string, serve func(net.Conn)) {
	t.Helper()
	var l net.Listener
	ns.Do(t, func() {
		var err error
		if l, err = net.Listen("tcp", address); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
		}
	}()
}
