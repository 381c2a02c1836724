package ipfix

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/test/nstest"
)

// collectTCP is a collector that can be stopped and started again on one port.
type collectTCP struct {
	t    testing.TB
	addr string
	l    net.Listener
	tls  *tls.Config // speak TLS if set
}

func listenTCP(t testing.TB) *collectTCP {
	t.Helper()
	nstest.Need(t, "native") // an emulator does not tell what a peer has acknowledged
	c := &collectTCP{t: t, addr: fmt.Sprint("127.0.0.1:", nstest.FreePort(t))}
	c.listen()
	t.Cleanup(func() { c.stop() })
	return c
}

func (c *collectTCP) listen() {
	c.t.Helper()
	c.l = nstest.Listen(c.t, "tcp", c.addr)
}

func (c *collectTCP) stop() { nstest.Close(c.l) }

func (c *collectTCP) accept() net.Conn {
	c.t.Helper()
	c.l.(*net.TCPListener).SetDeadline(time.Now().Add(30 * time.Second))
	conn, err := c.l.Accept()
	if err != nil {
		c.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	c.t.Cleanup(func() { conn.Close() })
	if c.tls != nil {
		return tls.Server(conn, c.tls)
	}
	return conn
}

// numbered makes n flows that tell themselves apart by their mark.
func numbered(from, n int) []flow {
	flows := make([]flow, n)
	for i := range flows {
		flows[i] = flow{
			src: "10.0.0.1", dst: "192.0.2.1", proto: 6, sport: uint16(i), dport: 80, ports: true,
			pkts: 1, octets: 60, start: 1e18, end: 1e18, mark: uint32(from + i),
		}
	}
	return flows
}

// read decodes messages until it has seen n marks, and returns how often each was seen.
func (s *session) read(t testing.TB, c io.Reader, n int) map[uint32]int {
	t.Helper()
	seen := map[uint32]int{}
	for len(seen) < n {
		msg, err := readMessage(c)
		if err != nil {
			t.Fatalf("%v after %d marks of %d", err, len(seen), n)
		}
		for _, r := range s.must(t, msg) {
			seen[uint32(r.uint(21373, 4))]++
		}
	}
	return seen
}

func TestCollectorStoppedWhileIdle(t *testing.T) {
	c := listenTCP(t)
	r := start(t, &feed{asct: true}, "host", c.addr, "reconnect_interval", "100ms", "flush_interval", "50ms", "resend_window", "0", "resend_time", "0")
	r.give(numbered(0, 10)...)
	conn := c.accept()
	newSession().read(t, conn, 10)
	conn.Close()
	c.stop()
	time.Sleep(300 * time.Millisecond) // the output notices by itself, and tries in vain
	for i := range 40 {
		r.give(numbered(10+i*250, 250)...)
	}
	c.listen()
	s := newSession()
	seen := s.read(t, c.accept(), 10000)
	for mark, n := range seen {
		if mark < 10 || n != 1 {
			t.Fatalf("flow %d arrived %d times", mark, n)
		}
	}
	if s.announced != 1 {
		t.Errorf("templates were announced in %d messages, want 1", s.announced)
	}
	r.end()
}

func TestCollectorThatReadsAndDies(t *testing.T) {
	c := listenTCP(t)
	r := start(t, &feed{asct: true}, "host", c.addr, "reconnect_interval", "50ms", "flush_interval", "20ms")
	dying(t, c, r)
}

// dying has a collector read and close its connection five times while flows end: each flow must
// arrive in one of its lives.
func dying(t *testing.T, c *collectTCP, r *rig) {
	t.Helper()
	total := 20000
	done := make(chan map[uint32]int)
	go func() {
		seen := map[uint32]int{}
		for life := 0; len(seen) < total; life++ {
			conn := c.accept()
			s := newSession()
			for n := 0; len(seen) < total && (life > 4 || n < 3000); {
				msg, err := readMessage(conn)
				if err != nil {
					t.Errorf("life %d: %v with %d of %d flows seen", life, err, len(seen), total)
					done <- seen
					return
				}
				records, err := s.decode(msg)
				if err != nil {
					t.Error(err)
				}
				for _, rec := range records {
					seen[uint32(rec.uint(21373, 4))]++
				}
				n += len(records)
			}
			if len(seen) == total {
				go io.Copy(io.Discard, conn)
				break
			}
			conn.Close() // with data unread: a reset
		}
		done <- seen
	}()
	for i := range total / 250 {
		r.give(numbered(i*250, 250)...)
	}
	if seen := <-done; len(seen) != total {
		t.Errorf("%d flows of %d arrived", len(seen), total)
	}
	r.end()
	if r.stats().Counter("resent", "").Load() == 0 {
		t.Error("nothing was sent again, although sessions were reset")
	}
}

func TestCollectorThatStalls(t *testing.T) {
	c := listenTCP(t)
	r := start(t, &feed{asct: true}, "host", c.addr, "buffer", "1MiB", "flush_interval", "20ms")
	conn := c.accept()
	conn.(*net.TCPConn).SetReadBuffer(64 << 10)
	n := 0
	for range 400 { // 100,000 records of about 70 octets into 1 MiB and what sockets hold
		r.give(numbered(n, 250)...)
		n += 250
	}
	r.give() // the one before has been consumed
	if r.stats().Drop("buffer_full", "").Load() == 0 {
		t.Fatal("nothing was dropped")
	}
	arrived := make(chan int)
	go func() {
		s, records := newSession(), 0
		for {
			msg, err := readMessage(conn)
			if err != nil {
				arrived <- records
				return
			}
			got, err := s.decode(msg)
			if err != nil {
				t.Error(err)
			}
			records += len(got)
		}
	}()
	r.end()
	if !strings.Contains(r.log.String(), "the buffer of collector "+c.addr+" is full: records are dropped") {
		t.Errorf("nothing is said of what is dropped:\n%s", r.log.String())
	}
	dropped := int(r.stats().Drop("buffer_full", "").Load())
	if got := <-arrived; got+dropped != n {
		t.Errorf("%d arrived + %d dropped, want %d", got, dropped, n)
	}
}

func TestCollectorThatTalksBack(t *testing.T) {
	c := listenTCP(t)
	r := start(t, &feed{asct: true}, "host", c.addr, "flush_interval", "20ms")
	conn := c.accept()
	go func() {
		junk := make([]byte, 64<<10)
		for range 64 {
			if _, err := conn.Write(junk); err != nil {
				return
			}
		}
	}()
	s := newSession()
	for i := range 20 {
		r.give(numbered(i*100, 100)...)
		s.read(t, conn, 100)
		time.Sleep(10 * time.Millisecond)
	}
	r.end()
}

func TestCollectorRefuses(t *testing.T) {
	c := listenTCP(t)
	c.stop()
	r := start(t, &feed{asct: true}, "host", c.addr, "reconnect_interval", "100ms", "flush_interval", "20ms")
	r.give(numbered(0, 100)...)
	time.Sleep(250 * time.Millisecond)
	c.listen()
	newSession().read(t, c.accept(), 100)
	r.end()
}

func TestNameThatDoesNotResolve(t *testing.T) {
	r := start(t, &feed{asct: true}, "host", "no-such-host.invalid", "reconnect_interval", "100ms")
	r.give(numbered(0, 100)...)
	time.Sleep(250 * time.Millisecond)
	r.m.Stop(200 * time.Millisecond)
	r.m.Wait()
	r.m = nil
	r.balanced()
	if n := r.stats().Drop("collector_away", "").Load(); n != 100 {
		t.Errorf("%d records were counted as given up, want 100", n)
	}
}

func TestSendTemplateOnTCP(t *testing.T) {
	for _, c := range []struct {
		word      string
		announced func(messages int) int
	}{
		{"once", func(int) int { return 1 }},
		{"always", func(n int) int { return n }},
	} {
		t.Run(c.word, func(t *testing.T) {
			col := listenTCP(t)
			r := start(t, &feed{asct: true}, "host", col.addr, "send_template", c.word, "mtu", "512", "flush_interval", "20ms")
			conn := col.accept()
			s := newSession()
			r.give(numbered(0, 200)...)
			s.read(t, conn, 200)
			r.end()
			if want := c.announced(s.messages); s.announced != want {
				t.Errorf("%d of %d messages announced templates, want %d", s.announced, s.messages, want)
			}
		})
	}
	t.Run("never", func(t *testing.T) {
		col := listenTCP(t)
		r := start(t, &feed{asct: true}, "host", col.addr, "send_template", "never", "flush_interval", "20ms")
		conn := col.accept()
		flows := numbered(0, 200)
		for i := range 50 {
			flows[i*4].src, flows[i*4].dst = "2001:db8::1", "2001:db8::2"
		}
		r.give(flows...)
		s := newSession()
		s.templates[256] = known256
		n := 0
		for n < 150 {
			msg, err := readMessage(conn)
			if err != nil {
				t.Fatal(err)
			}
			n += len(s.must(t, msg))
		}
		r.end()
		if s.announced != 0 {
			t.Error("a template was announced")
		}
		if got := r.stats().Drop("ipv6_without_template", "").Load(); got != 50 {
			t.Errorf("%d IPv6 records were counted, want 50", got)
		}
	})
}

// TestNeverATemplateOnUDP wants the operator to learn that no collector is told what it gets: at
// the start, by a counter, and by the doctor.
func TestNeverATemplateOnUDP(t *testing.T) {
	for _, layout := range []string{"ulogd2", "default"} {
		t.Run(layout, func(t *testing.T) {
			col := listenUDP(t)
			r := start(t, &feed{asct: true}, "host", col.LocalAddr().String(), "proto", "udp", "send_template", "never", "layout", layout, "flush_interval", "0")
			if warned := strings.Count(r.log.String(), "collectors are not told"); warned != 1 {
				t.Errorf("%d warnings, want 1:\n%s", warned, &r.log)
			}
			r.give(numbered(0, 20)...)
			msg := datagram(t, col)
			if _, err := newSession().decode(msg); err == nil || !strings.Contains(err.Error(), "was not announced") {
				t.Errorf("a collector that is told nothing says %v", err)
			}
			d := &engine.DoctorReport{}
			r.m.Doctor(d)
			if f := d.Findings(); len(f) != 1 || !strings.Contains(f[0].What, "send_template = never") {
				t.Errorf("the doctor finds %v", f)
			}
			r.end()
			if n := r.stats().Counter("without_template", "").Load(); n != 20 {
				t.Errorf("%d records are counted as sent without their template, want 20", n)
			}
		})
	}
}

// known256 is ulogd2's template, as a collector that is never told it must know it.
var known256 = func() (t decodedTemplate) {
	for _, e := range [][2]uint16{{8, 4}, {12, 4}, {86, 4}, {85, 4}, {150, 4}, {151, 4}, {7, 2}, {11, 2}, {4, 1}, {95, 4}} {
		var x element
		x.ID, x.Length = e[0], e[1]
		t.elements = append(t.elements, x)
	}
	return t
}()

func TestSendTemplateOnUDP(t *testing.T) {
	for _, c := range []struct {
		name      string
		set       []string
		announced int // messages with templates among 20 of data
	}{
		{"once", nil, 1},
		{"always", []string{"send_template", "always"}, 20},
		{"refresh by number", []string{"template_refresh_packets", "5"}, 4},
		{"refresh after each", []string{"template_refresh_packets", "1"}, 20},
		{"refresh off", []string{"template_refresh_packets", "0", "template_refresh", "0"}, 1},
		{"copies", []string{"template_copies", "3"}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			col := listenUDP(t)
			r := start(t, &feed{asct: true}, append([]string{"host", col.LocalAddr().String(), "proto", "udp", "flush_interval", "0"}, c.set...)...)
			s, seen := newSession(), 0
			for i := range 20 {
				r.give(numbered(i, 1)...)
				for want := i + 1; seen < want; {
					seen += len(s.must(t, datagram(t, col)))
				}
			}
			r.end()
			if s.announced != c.announced {
				t.Errorf("%d messages announced templates, want %d", s.announced, c.announced)
			}
		})
	}
}

func TestTemplateRefreshByTime(t *testing.T) {
	col := listenUDP(t)
	r := start(t, &feed{asct: true}, "host", col.LocalAddr().String(), "proto", "udp", "flush_interval", "10ms", "template_refresh", "200ms")
	r.give(numbered(0, 1)...)
	s := newSession()
	for s.announced < 3 { // the collector may have been restarted: idle or not, it learns the templates
		s.must(t, datagram(t, col))
	}
	r.end()
}

func TestMessageSizes(t *testing.T) {
	for _, c := range []struct {
		proto, mtu string
		most       int
	}{{"udp", "600", 600}, {"tcp", "600", 600}, {"tcp", "0", 8192}, {"udp", "0", 9000 - 48}} {
		t.Run(fmt.Sprint(c.proto, c.mtu), func(t *testing.T) {
			longest := 0
			var read func(int)
			var host string
			s := newSession()
			if c.proto == "udp" {
				col := listenUDP(t)
				host = col.LocalAddr().String()
				read = func(n int) {
					for n > 0 {
						msg := datagram(t, col)
						longest = max(longest, len(msg))
						n -= len(s.must(t, msg))
					}
				}
			} else {
				col := listenTCP(t)
				host = col.addr
				var conn net.Conn
				read = func(n int) {
					if conn == nil {
						conn = col.accept()
					}
					for n > 0 {
						msg, err := readMessage(conn)
						if err != nil {
							t.Fatal(err)
						}
						longest = max(longest, len(msg))
						n -= len(s.must(t, msg))
					}
				}
			}
			r := start(t, &feed{asct: true}, "host", host, "proto", c.proto, "mtu", c.mtu, "flush_interval", "10ms")
			r.give(numbered(0, 1)...)
			read(1)
			for range 4 {
				r.give(numbered(0, 500)...)
				read(500)
			}
			r.end()
			if longest > c.most || longest < c.most-100 {
				t.Errorf("the longest message has %d octets, want %d or little less", longest, c.most)
			}
		})
	}
}

func TestSettingsThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		set  []string
		want string
	}{
		{nil, "host: must name a collector"},
		{[]string{"host", "a b"}, "names no host"},
		{[]string{"host", "h", "proto", "sctp"}, "no kernel with SCTP"},
		{[]string{"host", "h", "proto", "dtls"}, "both sides prove who they are"},
		{[]string{"host", "h", "proto", "udp", "tls_ca", "a"}, "set proto = tls or dtls"},
		{[]string{"host", "h", "proto", "dtls", "tls_cert", "c", "tls_key", "k", "tls_ca", "a", "mtu", "20000"}, "at most 16384 octets"},
		{[]string{"host", "h", "mtu", "60"}, "octets hold no record"},
		{[]string{"host", "h", "mtu", "60", "layout", "ulogd2"}, "at least 64 are needed"},
		{[]string{"host", "h", "mtu", "100", "layout", "ulogd2", "send_template", "always"}, "needed"},
		{[]string{"host", "h", "layout", "ulogd2", "direction", "uniflow"}, "direction: layout = ulogd2"},
		{[]string{"host", "h", "fields", "nonsense"}, "neither an information element"},
		{[]string{"host", "h", "fields", "ct.labels.str"}, "nor one of its keys"},
		{[]string{"host", "h", "source_address", "here"}, "is no IP address"},
		{[]string{"host", "h", "reconnect_interval", "0"}, "must be above 0"},
		{[]string{"host", "h", "max_templates", "65"}, "from 1 to 64"},
	} {
		_, problems := tryBuild(t, &feed{asct: true}, c.set...)
		if !contains(problems, c.want) {
			t.Errorf("%q: %q does not say %q", c.set, problems, c.want)
		}
	}
}

// The host of the collector refuses datagrams, so that nothing is known to arrive: at the end all is sent even so, and
// nobody is waited for until the daemon's patience is over.
func TestEndWhileRefused(t *testing.T) {
	r := start(t, &feed{asct: true}, "host", "127.0.0.1", "port", "9", "proto", "udp")
	r.m.Patience = 5 * time.Second
	for i := range 20 {
		r.give(numbered(i*250, 250)...)
	}
	r.end()
	if n := r.out.Stats.Out.Load(); n != 5000 {
		t.Errorf("%d of 5000 records were sent", n)
	}
}
