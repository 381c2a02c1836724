package collector

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"ulogd/plugins/output/dial"
)

// TestAcknowledged: what the peer's kernel has is acknowledged, what waits for room there is not,
// and the end of the stream is no octet; after a reset it is still known.
func TestAcknowledged(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	to, err := ParseAddress(l.Addr().String(), 4739)
	if err != nil {
		t.Fatal(err)
	}
	fill := func(s Session) (taken int64) {
		for {
			n, err := s.Send(make([]byte, 1<<20), nil)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				return taken
			}
			taken += int64(n)
		}
	}
	for _, reset := range []bool{false, true} {
		s, err := DialTCP(to, &dial.Settings{})(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		peer, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if n := s.Acked(); n != 0 {
			t.Errorf("%d octets are acknowledged before any was sent", n)
		}
		taken := fill(s)
		before := s.Acked()
		if before == 0 || before >= taken {
			t.Errorf("%d of %d octets are acknowledged though the peer reads none", before, taken)
		}
		if reset {
			peer.(*net.TCPConn).SetLinger(0)
			peer.Close()
			for s.Drain() == nil {
				time.Sleep(time.Millisecond)
			}
			if n := s.Acked(); n < before || n >= taken {
				t.Errorf("%d of %d octets are acknowledged after the reset, %d before", n, taken, before)
			}
		} else {
			if err := s.Shutdown(); err != nil {
				t.Fatal(err)
			}
			if n, _ := io.Copy(io.Discard, peer); n != taken {
				t.Errorf("%d octets arrived of %d", n, taken)
			}
			for end := time.Now().Add(10 * time.Second); s.Acked() != taken; time.Sleep(time.Millisecond) { // it may be delayed
				if time.Now().After(end) {
					t.Fatalf("%d octets are acknowledged of %d that have arrived", s.Acked(), taken)
				}
			}
			peer.Close()
		}
		s.Close()
	}
}
