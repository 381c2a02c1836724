package nfct_test

import (
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"ulogd/engine/question"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// scene is a connection to a port of its own, and when its last packet came.
type scene struct {
	name string
	port int
	play func(s *stage) // returns when the last packet has been sent
	odd  bool           // its end cannot be dated
}

// stage is a namespace that scenes are played in.
type stage struct {
	t    testing.TB
	ns   *nstest.NS
	port int
}

// tcp opens a connection to the scene's port.
func (s *stage) tcp() (client, server *net.TCPConn) {
	s.ns.Do(s.t, func() {
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", s.port))
		if err != nil {
			s.t.Error(err)
			return
		}
		defer l.Close()
		c, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			s.t.Error(err)
			return
		}
		o, err := l.Accept()
		if err != nil {
			s.t.Error(err)
			return
		}
		client, server = c.(*net.TCPConn), o.(*net.TCPConn)
	})
	return client, server
}

// talk sends some octets each way.
func talk(client, server *net.TCPConn) {
	buf := make([]byte, 100)
	client.Write(buf)
	server.Read(buf)
	server.Write(buf)
	client.Read(buf)
}

// udp sends a datagram to the scene's port, which may be answered.
func (s *stage) udp(from int, answered bool) {
	s.ns.Do(s.t, func() {
		l, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: s.port})
		if err != nil {
			s.t.Error(err)
			return
		}
		defer l.Close()
		c, err := net.DialUDP(
			"udp4",
			&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: from},
			l.LocalAddr().(*net.UDPAddr),
		)
		if err != nil {
			s.t.Error(err)
			return
		}
		defer c.Close()
		buf := make([]byte, 100)
		c.Write(buf)
		_, peer, _ := l.ReadFrom(buf)
		if answered {
			l.WriteTo(buf, peer)
			c.Read(buf)
		}
	})
}

// silence drops packets before the kernel tracks them.
func (s *stage) silence(which string) {
	s.ns.Nft(
		s.t,
		fmt.Sprintf(
			"table inet silence { chain o { type filter hook output priority -400; }; }; add rule inet silence o tcp %s %d drop",
			which,
			s.port,
		),
	)
}

var scenes = []scene{
	{name: "closed by FIN", port: 7001, play: func(s *stage) {
		client, server := s.tcp()
		talk(client, server)
		client.Close()
		server.Close()
	}},
	{name: "closed by RST", port: 7002, play: func(s *stage) {
		client, server := s.tcp()
		talk(client, server)
		client.SetLinger(0)
		client.Close()
		server.Close()
	}},
	{name: "refused", port: 7003, play: func(s *stage) {
		s.ns.Do(s.t, func() {
			if _, err := net.Dial("tcp4", "127.0.0.1:7003"); err == nil {
				s.t.Error("somebody listens at port 7003")
			}
		})
	}},
	{name: "half-open", port: 7004, play: func(s *stage) {
		s.ns.Nft(s.t, "table inet half { chain i { type filter hook input priority 0; tcp dport 7004 drop; }; }")
		s.ns.Do(s.t, func() { net.DialTimeout("tcp4", "127.0.0.1:7004", 300*time.Millisecond) })
	}},
	{name: "peer gone in mid-transfer", port: 7005, play: func(s *stage) {
		client, server := s.tcp()
		talk(client, server)
		s.silence("sport")
		client.Write(make([]byte, 1000))
		s.silence("dport")
		s.t.Cleanup(func() { client.Close(); server.Close() })
	}},
	{name: "UDP without an answer", port: 7006, play: func(s *stage) { s.udp(6006, false) }},
	{name: "UDP with an answer", port: 7007, play: func(s *stage) { s.udp(6007, true) }},
	{name: "UDP of some seconds", port: 7008, play: func(s *stage) {
		for range 4 {
			s.udp(6008, true)
			time.Sleep(time.Second)
		}
		s.udp(6008, true)
	}},
	{name: "deleted by hand", port: 7009, play: func(s *stage) {
		client, server := s.tcp()
		talk(client, server)
		s.t.Cleanup(func() { client.Close(); server.Close() })
		time.AfterFunc(4*time.Second, func() { s.ns.Run(s.t, "conntrack -D -p tcp --dport 7009") })
	}},
	{name: "longer than the timeout of unacknowledged data, closed by FIN", port: 7010, play: func(s *stage) {
		client, server := s.tcp()
		talk(client, server)
		time.Sleep(11 * time.Second)
		talk(client, server)
		client.Close()
		server.Close()
	}},
	{name: "timeout object", port: 7011, odd: true, play: func(s *stage) { s.udp(6011, false) }},
	{name: "shorter timeout object, of some seconds", port: 7012, odd: true, play: func(s *stage) {
		for range 6 {
			s.udp(6012, false)
			time.Sleep(time.Second)
		}
		s.udp(6012, false)
	}},
}

// looks follows how far apart the looks at the kernel's table are, and returns what tells the most, which is a second at
// least.
func looks(t *testing.T, d *stacktest.Daemon) (longest func() time.Duration) {
	most, end, ended := int64(1), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			most = max(most, d.Count("ct1", "expire_interval_seconds"))
			select {
			case <-end:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	stop := sync.OnceFunc(func() { close(end); <-ended })
	t.Cleanup(stop)
	return func() time.Duration {
		stop()
		return time.Duration(most) * time.Second
	}
}

// TestFlowEndIsTheLastPacket: whatever ends a connection, flow.end is within two seconds of its
// last packet; where the kernel does not date ends, within a second more than what is between two
// looks at its table, which is large when other tests fill it.
func TestFlowEndIsTheLastPacket(t *testing.T) {
	for _, timestamp := range []string{"1", "0"} {
		t.Run("timestamp="+timestamp, func(t *testing.T) {
			t.Parallel()
			nstest.Need(t, "nf_conntrack", "tool:conntrack")
			ns := nstest.New(t)
			nstest.EnableConntrack(t, ns)
			for name, value := range map[string]string{
				"tcp_timeout_time_wait": "4", "tcp_timeout_close": "3", "tcp_timeout_syn_sent": "5", "tcp_timeout_syn_recv": "5",
				"tcp_timeout_fin_wait": "6", "tcp_timeout_last_ack": "4", "tcp_timeout_unacknowledged": "9", "tcp_timeout_max_retrans": "9",
				"udp_timeout": "4", "udp_timeout_stream": "6", "icmp_timeout": "5", "icmpv6_timeout": "5", "timestamp": timestamp,
			} {
				ns.Sysctl(t, "net.netfilter.nf_conntrack_"+name, value)
			}
			ns.Nft(t, `table ip objects {
	ct timeout longer { protocol udp; l3proto ip; policy = { unreplied : 9, replied : 9 }; }
	ct timeout shorter { protocol udp; l3proto ip; policy = { unreplied : 2, replied : 2 }; }
	chain o { type filter hook output priority 0; udp dport 7011 ct timeout set "longer"; udp dport 7012 ct timeout set "shorter"; }
}`)
			d := start(t, ns, t.Name(), "", "extra_keys = true")
			longest := looks(t, d)
			last := map[string]time.Time{}
			var mu sync.Mutex
			var all sync.WaitGroup
			for _, c := range scenes {
				all.Go(func() {
					c.play(&stage{t, ns, c.port})
					mu.Lock()
					defer mu.Unlock()
					last[strconv.Itoa(c.port)] = time.Now()
				})
			}
			all.Go(func() {
				ping(t, ns, "ip4:icmp", "127.0.0.1", 8)
				ping(t, ns, "ip6:ipv6-icmp", "::1", 128)
				mu.Lock()
				defer mu.Unlock()
				last["icmp"] = time.Now()
			})
			// A timeout object is told by what a look finds before the end; how often the daemon looks by
			// itself hangs on the machine's other tables and what else it does.
			for range 3 {
				time.Sleep(time.Second)
				q := &question.Flows{Limit: -1, Share: 1}
				if _, err := q.Ask(t.Context(), d.Machine, func(*question.Flow) error { return nil }); err != nil {
					t.Fatal(err)
				}
			}
			all.Wait()
			ends := map[string]map[string]string{}
			eventually(t, d, "all ends", func() bool {
				for _, line := range collect(t, d, t.Name(), 0) {
					m := fields(line)
					port := m["orig.l4.dport"]
					if port == "" {
						port = "icmp"
					}
					ends[port] = m
				}
				return len(ends) == len(scenes)+1
			})
			near := 2 * time.Second
			if longest := longest(); timestamp == "0" {
				near = longest + time.Second
			}
			odd := 0
			end := func(port string) time.Time {
				sec, _ := strconv.ParseInt(ends[port]["flow.end.sec"], 10, 64)
				usec, _ := strconv.ParseInt(ends[port]["flow.end.usec"], 10, 64)
				return time.Unix(sec, usec*1000)
			}
			check := func(name, port string) {
				off := end(port).Sub(last[port])
				t.Logf("%-62s %v", name, off)
				if off < -2*time.Second || off > near {
					t.Errorf("%s: flow.end is %v off: %v", name, off, ends[port])
				}
			}
			check("ICMP", "icmp")
			for _, c := range scenes {
				if c.odd {
					odd++
					continue
				}
				check(c.name, strconv.Itoa(c.port))
			}
			// A timeout object that is shorter than the sysctl may look like an end that is a second or
			// two later: which of the two it is hangs on when the table was looked at last.
			if n := d.Count("ct1", "end_unknown"); n < 1 || n > int64(odd) {
				t.Errorf("%d ends are counted as unknown, of %d that cannot be dated", n, odd)
			}
			d.Stop()
		})
	}
}

// TestFlowEndAfterTimeoutsWereChanged: each connection ends by what its last packet found.
func TestFlowEndAfterTimeoutsWereChanged(t *testing.T) {
	nstest.Need(t, "nf_conntrack", "tool:conntrack")
	ns := nstest.New(t)
	nstest.EnableConntrack(t, ns)
	ns.Sysctl(t, "net.netfilter.nf_conntrack_udp_timeout", "4")
	d := start(t, ns, t.Name(), "", "")
	last := map[string]time.Time{}
	for _, c := range []struct {
		timeout string
		port    int
	}{{"4", 7001}, {"9", 7002}, {"3", 7003}} {
		ns.Sysctl(t, "net.netfilter.nf_conntrack_udp_timeout", c.timeout)
		time.Sleep(3 * time.Second) // it is read once a second
		(&stage{t, ns, c.port}).udp(c.port-1000, true)
		last[strconv.Itoa(c.port)] = time.Now()
	}
	for _, line := range collect(t, d, t.Name(), len(last)) {
		m := fields(line)
		sec, _ := strconv.ParseInt(m["flow.end.sec"], 10, 64)
		if off := time.Unix(sec, 0).Sub(last[m["orig.l4.dport"]]); off < -2*time.Second || off > 2*time.Second {
			t.Errorf("flow.end is %v off: %s", off, line)
		}
	}
	if n := d.Count("ct1", "end_unknown"); n != 0 {
		t.Errorf("%d ends are counted as unknown", n)
	}
}
