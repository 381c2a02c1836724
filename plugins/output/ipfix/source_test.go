// The local address that messages leave from.

package ipfix

import (
	"net"
	"testing"

	"github.com/pion/dtls/v3"
)

func TestSourceAddress(t *testing.T) {
	const source = "127.0.0.7"
	from := func(t *testing.T, a net.Addr) {
		t.Helper()
		if host, _, _ := net.SplitHostPort(a.String()); host != source {
			t.Errorf("messages come from %s, want %s", host, source)
		}
	}
	run := func(t *testing.T, host string, set ...string) *rig {
		r := start(t, &feed{asct: true}, append(set, "host", host, "source_address", source, "flush_interval", "10ms")...)
		r.give(numbered(0, 10)...)
		return r
	}
	t.Run("tcp", func(t *testing.T) {
		c := listenTCP(t)
		r := run(t, c.addr)
		conn := c.accept()
		newSession().read(t, conn, 10)
		from(t, conn.RemoteAddr())
		r.end()
	})
	t.Run("udp", func(t *testing.T) {
		c := listenUDP(t)
		r := run(t, c.LocalAddr().String(), "proto", "udp")
		_, a, err := c.ReadFrom(make([]byte, 65536))
		if err != nil {
			t.Fatal(err)
		}
		from(t, a)
		r.end()
	})
	t.Run("tls", func(t *testing.T) {
		a := newAuthority(t)
		c := a.listen(t, 0, nil, net.IPv4(127, 0, 0, 1))
		r := run(t, c.addr, a.client("tls", a)...)
		conn := c.accept()
		newSession().read(t, conn, 10)
		from(t, conn.RemoteAddr())
		r.end()
	})
	t.Run("dtls", func(t *testing.T) {
		a := newAuthority(t)
		l := a.listenDTLS(t)
		r := run(t, l.Addr().String(), a.client("dtls", a)...)
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		from(t, conn.RemoteAddr())
		if err := conn.(*dtls.Conn).Handshake(); err != nil {
			t.Fatal(err)
		}
		r.end()
	})
}
