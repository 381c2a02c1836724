package e2e

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

const natConfig = `
stack=ct1:NFCT,ipfix1:IPFIX
[ct1]
%s
[ipfix1]
host="127.0.0.1"
nat_events=true
`

// TestTranslationsAreTold: a natEvent record when a translated connection begins and one when it
// ends, with what the kernel's rules made of it, and none of connections that are not translated.
func TestTranslationsAreTold(t *testing.T) {
	nstest.Need(t, "root", "nf_conntrack", "tool:conntrack", "tool:tshark", "tool:tcpdump")
	for _, mode := range []string{"hash_enable=1", "hash_enable=1\nevent_mask=4", "hash_enable=0", "pollinterval=1"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel() // it waits for the most part
			ns := nstest.New(t)
			nstest.EnableConntrack(t, ns)
			ns.Nft(t, `table ip nat {
	chain out { type nat hook output priority -100; tcp dport 8080 dnat to 127.0.0.1:9090; }
	chain post { type nat hook postrouting priority 100; tcp dport 9090 snat to 127.0.0.7:5000-5999; }
}
table ip6 nat { chain out { type nat hook output priority -100; tcp dport 8080 dnat to [::1]:9090; }; }`)
			stopCapture := capture(t, ns, "tcp port 4739")
			collect(t, ns)
			p := start(t, ns, write(t, "ulogd.conf", fmt.Sprintf(natConfig, mode)))
			const translated = 5
			ns.Do(t, func() {
				for range translated {
					reach(t, "tcp4", "127.0.0.1:9090", "127.0.0.1:8080")
					exchange(t, "tcp4", "127.0.0.1:0", 100, 100)
				}
				reach(t, "tcp6", "[::1]:9090", "[::1]:8080")
			})
			poll := func() {
				if strings.HasPrefix(mode, "poll") {
					time.Sleep(3 * time.Second)
				}
			}
			poll()
			ns.Run(t, "conntrack -F")
			poll()
			p.Stop(syscall.SIGTERM)
			told := map[string][]string{} // natEvents by original connection
			for _, rec := range pdmlRecords(t, tshark(t, stopCapture(), "-d", "tcp.port==4739,cflow")) {
				event, ok := rec["cflow.nat_event"]
				if !ok {
					continue
				}
				conn := rec["cflow.srcaddr"] + rec["cflow.srcaddrv6"] + " " + rec["cflow.srcport"]
				told[conn] = append(told[conn], event)
				if rec["cflow.dstport"] != "8080" || rec["cflow.post_naptdestination_transport_port"] != "9090" {
					t.Errorf("%v", rec)
				}
				if rec["cflow.srcaddr"] != "" && rec["cflow.post_natsource_ipv4_address"] != "127.0.0.7" {
					t.Errorf("%v", rec)
				}
			}
			if len(told) != translated+1 {
				t.Errorf("%d connections were told of, %d are translated", len(told), translated+1)
			}
			for conn, events := range told {
				want := []string{"4", "5"}
				if strings.Contains(conn, ":") {
					want = []string{"1", "2"}
				}
				if slices.Sort(events); !slices.Equal(events, want) {
					t.Errorf("%s: natEvents %v, want %v", conn, events, want)
				}
			}
		})
	}
}

// reach opens a connection to one address that arrives at another.
func reach(t *testing.T, network, listener, address string) {
	t.Helper()
	l, err := net.Listen(network, listener)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}
