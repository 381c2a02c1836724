package ipfix

import (
	"io"
	"net"
	"testing"
	"time"
)

// arrivals reads a connection to its end in the background and tells what came.
type arrivals struct {
	t    testing.TB
	done chan map[uint32]int
}

func collect(t testing.TB, conn net.Conn) *arrivals {
	a := &arrivals{t, make(chan map[uint32]int, 1)}
	go func() {
		s, seen := newSession(), map[uint32]int{}
		for {
			msg, err := readMessage(conn)
			if err != nil {
				if err != io.EOF {
					t.Error(err)
				}
				a.done <- seen
				return
			}
			records, err := s.decode(msg)
			if err != nil {
				t.Error(err)
			}
			for _, r := range records {
				seen[uint32(r.uint(21373, 4))]++
			}
		}
	}()
	return a
}

func TestBalance(t *testing.T) {
	var cs [3]*collectTCP
	hosts := ""
	for i := range cs {
		cs[i] = listenTCP(t)
		hosts += "," + cs[i].addr
	}
	r := start(t, &feed{asct: true}, "host", hosts[1:], "mode", "balance", "reconnect_interval", "100ms", "flush_interval", "20ms", "resend_window", "0", "resend_time", "0")
	conns := [3]net.Conn{cs[0].accept(), cs[1].accept(), cs[2].accept()}
	flows := numbered(0, 3000)
	for i := range flows {
		flows[i].rpkts, flows[i].roctets = 1, 60 // both directions go to the same one
	}
	first, second := collect(t, conns[0]), collect(t, conns[1])
	conns[2].Close() // one dies; its share waits for it
	time.Sleep(250 * time.Millisecond)
	r.give(flows...)
	third := collect(t, cs[2].accept())
	r.end()
	total := 0
	for i, a := range []*arrivals{first, second, third} {
		seen := <-a.done
		for mark, n := range seen {
			if n != 2 {
				t.Fatalf("collector %d has %d records of flow %d, want both", i, n, mark)
			}
		}
		if len(seen) < 700 {
			t.Errorf("collector %d has %d flows of 3000: that is no balance", i, len(seen))
		}
		total += len(seen)
	}
	if total != 3000 {
		t.Errorf("%d flows arrived, want 3000", total)
	}
}

func TestFailover(t *testing.T) {
	best, other := listenTCP(t), listenTCP(t)
	r := start(t, &feed{asct: true}, "host", best.addr+","+other.addr, "mode", "failover", "reconnect_interval", "100ms", "flush_interval", "20ms", "resend_window", "0", "resend_time", "0")
	conn := best.accept()
	r.give(numbered(0, 100)...)
	newSession().read(t, conn, 100)
	best.stop()
	conn.Close()
	conn = other.accept()
	r.give(numbered(100, 100)...)
	newSession().read(t, conn, 100)
	best.listen()
	conn2 := best.accept() // without being asked: the preferred one is back
	r.give(numbered(200, 100)...)
	newSession().read(t, conn2, 100)
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the session with the other collector was not closed: %d octets, %v", n, err)
	}
	r.end()
}

func TestAllGetEverything(t *testing.T) {
	one, two := listenTCP(t), listenTCP(t)
	r := start(t, &feed{asct: true}, "host", one.addr+","+two.addr, "flush_interval", "20ms")
	a, b := collect(t, one.accept()), collect(t, two.accept())
	r.give(numbered(0, 1000)...)
	r.end()
	if n, m := len(<-a.done), len(<-b.done); n != 1000 || m != 1000 {
		t.Errorf("collectors have %d and %d flows, want 1000 each", n, m)
	}
}
