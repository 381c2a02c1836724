// What is sent again after a break, to the message.

package ipfix

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// unread returns how many octets the kernel has received for a connection that nobody reads, once
// no more come: it has acknowledged exactly these.
func unread(t testing.TB, conn *net.TCPConn) int {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	n := -1
	for last := -2; n != last || n == 0; time.Sleep(300 * time.Millisecond) {
		last = n
		raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }) // tcp(7) calls it SIOCINQ
		if err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// TestResend breaks a session whose collector does not read. What its kernel has not acknowledged
// arrives in the next session, and before it as much as resend_window asks for, to the message:
// under TLS the acknowledged octets are ciphertext.
func TestResend(t *testing.T) {
	for _, proto := range []string{"tcp", "tls"} {
		for window, octets := range map[string]int{"0": 0, "32KiB": 32 << 10} {
			t.Run(proto+" "+window, func(t *testing.T) {
				t.Parallel()
				const flows = 100000
				c, set := (*collectTCP)(nil), []string{"buffer", "64MiB", "reconnect_interval", "50ms", "flush_interval", "20ms", "resend_window", window, "resend_time", "0"}
				if proto == "tls" {
					a := newAuthority(t)
					c = a.listen(t, tls.VersionTLS13, nil, net.IPv4(127, 0, 0, 1))
					set = append(set, a.client("tls", a)...)
				} else {
					c = listenTCP(t)
				}
				r := start(t, &feed{asct: true}, append(set, "host", c.addr)...)
				conn := c.accept()
				plain, _ := conn.(*net.TCPConn)
				if secured, ok := conn.(*tls.Conn); ok {
					if err := secured.Handshake(); err != nil {
						t.Fatal(err)
					}
					plain = secured.NetConn().(*net.TCPConn)
				}
				r.giveAll(0, flows)
				have := unread(t, plain)
				plain.Close() // with data unread: a reset
				conn = c.accept()
				s, all, sent := newSession(), []uint32(nil), 0
				for len(all) == 0 || all[len(all)-1] != flows-1 {
					msg, err := readMessage(conn)
					if err != nil {
						t.Fatalf("%v after %d records", err, len(all))
					}
					sent += len(msg)
					for _, r := range s.must(t, msg) {
						all = append(all, uint32(r.uint(21373, 4)))
					}
				}
				r.end()
				first := int(all[0])
				inOrder(t, all, first, flows)
				const cut = 3 * tcpMessage // messages at both ends of what is sent again, and the templates
				before := first * sent / len(all)
				if before > have-octets || before < have-octets-cut-have/100 { // TLS adds less than one per cent
					t.Errorf("the collector's kernel had %d octets; what follows octet %d was sent again", have, before)
				}
			})
		}
	}
}
