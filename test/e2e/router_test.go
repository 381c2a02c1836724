package e2e

import (
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// TestRouterTranslates: a router masquerades connections from inside and forwards a port of its own
// to the inside. What the collector has of each is what conntrack tells at the same time: both
// sides of the translation in the flow's record, a natEvent when it begins and one when it ends.
func TestRouterTranslates(t *testing.T) {
	nstest.Need(t, "root", "nf_conntrack", "tool:conntrack", "tool:tshark", "tool:tcpdump")
	router, ended := gateway(t)
	inside, outside := nstest.New(t), nstest.New(t)
	nstest.Veth(t, router, inside, "in0", "10.0.0.1/24", "eth0", "10.0.0.2/24")
	nstest.Veth(t, router, outside, "out0", "198.51.100.1/24", "eth0", "198.51.100.2/24")
	inside.Run(t, "ip route add default via 10.0.0.1")
	router.Sysctl(t, "net.ipv4.ip_forward", "1")
	router.Nft(t, `table ip nat {
	chain pre { type nat hook prerouting priority -100; iifname out0 tcp dport 8080 dnat to 10.0.0.2:80; }
	chain post { type nat hook postrouting priority 100; oifname out0 ip saddr 10.0.0.0/24 masquerade random; }
}`)
	begun := router.Start(t, "conntrack -E -e NEW -o id")
	begun.WaitSubscribed(time.Minute)
	stopCapture := capture(t, router, "tcp port 4739")
	collect(t, router)
	p := start(t, router, write(t, "ulogd.conf", `stack=ct1:NFCT,ipfix1:IPFIX
[ct1]
hash_enable=0
[ipfix1]
host="127.0.0.1"
nat_events=true
`))
	const each = 10
	through(t, each, inside, outside, "198.51.100.2:443", "198.51.100.2:443")
	through(t, each, outside, inside, "10.0.0.2:80", "198.51.100.1:8080")
	destroyed(t, router, ended, 2*each)
	time.Sleep(1500 * time.Millisecond) // IPFIX sends a second after the first record at the latest
	p.Stop(syscall.SIGTERM)

	want := conntrackTold(t, begun.Output(), ended.Output())
	if len(want) != 4*2*each {
		t.Fatalf("conntrack tells of %d events and flows, want %d", len(want), 4*2*each)
	}
	var got []string
	for _, rec := range pdmlRecords(t, tshark(t, stopCapture(), "-d", "tcp.port==4739,cflow")) {
		if _, translated := rec["cflow.post_natsource_ipv4_address"]; translated {
			got = append(got, told(rec))
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the collector has\n%s\nconntrack told\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// through makes n connections from one namespace to another, which the router translates, with data
// both ways.
func through(t *testing.T, n int, from, to *nstest.NS, listener, address string) {
	t.Helper()
	var l net.Listener
	to.Do(t, func() {
		var err error
		if l, err = net.Listen("tcp4", listener); err != nil {
			t.Fatal(err)
		}
	})
	defer l.Close()
	go func() {
		for {
			s, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer s.Close()
				io.Copy(s, s)
			}()
		}
	}()
	from.Do(t, func() {
		for i := range n {
			c, err := net.Dial("tcp4", address)
			if err != nil {
				t.Fatal(err)
			}
			c.Write(make([]byte, 100*(i+1)))
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, c)
			c.Close()
		}
	})
}

// told writes a record of a translated connection: what happened when, from where to where before
// it and behind it, and how much was sent.
func told(rec map[string]string) string {
	s := fmt.Sprintf("%s:%s>%s:%s as %s:%s>%s:%s", rec["cflow.srcaddr"], rec["cflow.srcport"], rec["cflow.dstaddr"], rec["cflow.dstport"],
		rec["cflow.post_natsource_ipv4_address"], rec["cflow.post_naptsource_transport_port"], rec["cflow.post_natdestination_ipv4_address"], rec["cflow.post_naptdestination_transport_port"])
	if event, ok := rec["cflow.nat_event"]; ok {
		return fmt.Sprintf("natEvent %s at %s: %s", event, second(rec["cflow.observation_time_milliseconds"]), s)
	}
	return fmt.Sprintf("flow: %s, %s packets", s, rec["cflow.packets"])
}

var (
	newEvent = regexp.MustCompile(`\[NEW\].* id=(\d+)`)
	endEvent = regexp.MustCompile(`\[DESTROY\].*? src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+) packets=(\d+) bytes=\d+ src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+) packets=(\d+) .* id=(\d+)`)
)

// conntrackTold makes the same of conntrack's lines: a connection's NEW gives its creation, DESTROY
// its deletion and a flow each way.
func conntrackTold(t *testing.T, begun, ended string) (want []string) {
	t.Helper()
	isNew := map[string]bool{}
	for _, m := range newEvent.FindAllStringSubmatch(begun, -1) {
		isNew[m[1]] = true
	}
	for line := range strings.Lines(ended) {
		m := endEvent.FindStringSubmatch(line)
		if m == nil || m[1] == m[7] && m[2] == m[6] { // not translated
			continue
		}
		s := fmt.Sprintf("%s:%s>%s:%s as %s:%s>%s:%s", m[1], m[3], m[2], m[4], m[7], m[9], m[6], m[8])
		if isNew[m[11]] {
			want = append(want, fmt.Sprintf("natEvent 4 at %s: %s", between(line, "[start="), s))
		}
		reply := fmt.Sprintf("%s:%s>%s:%s as %s:%s>%s:%s", m[6], m[8], m[7], m[9], m[2], m[4], m[1], m[3])
		want = append(want, fmt.Sprintf("natEvent 5 at %s: %s", between(line, "[stop="), s), fmt.Sprintf("flow: %s, %s packets", s, m[5]), fmt.Sprintf("flow: %s, %s packets", reply, m[10]))
	}
	slices.Sort(want)
	return want
}
