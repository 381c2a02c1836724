// Datagrams that cannot be sent, collectors that move or come back: what waits goes out, and can be
// decoded, when it is possible again.

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// mustLog fails unless the daemon's log has a line that matches, and returns it.
func mustLog(t *testing.T, log, expr string) {
	t.Helper()
	if !regexp.MustCompile(expr).MatchString(log) {
		t.Errorf("no line of the log matches %q:\n%s", expr, log)
	}
}

// TestDatagramsThatCannotBeSentWait: a firewall refuses the daemon's datagrams for two seconds, or the
// way to the collector is gone, long enough for what is then a backlog, or nobody answers who has its
// address, as after a link's return; nothing is lost.
func TestDatagramsThatCannotBeSentWait(t *testing.T) {
	for _, c := range []struct {
		name, close, open, reason string
		under                     int  // flows that may be on their way when it happens
		first                     bool // it is so when the daemon begins
	}{
		{
			name: "forbidden", reason: "operation not permitted",
			close: "nft 'add table ip deny { chain out { type filter hook output priority 0; udp dport 9995 drop; }; }'",
			open:  "nft delete table ip deny",
		},
		{
			name: "no route", reason: "network is unreachable",
			close: "ip route delete 10.9.0.0/24", open: "ip route add 10.9.0.0/24 dev a0",
		},
		{
			name: "no link", reason: "network is unreachable",
			close: "ip link set a0 down", open: "ip link set a0 up", under: 10 * 50,
		},
		{
			name: "no neighbour", reason: "nothing has left this machine for 1", first: true,
			close: "sysctl -qw net.ipv4.neigh.a0.mcast_solicit=60; " + // times that the kernel asks, a second apart
				"nft 'add table arp deny { chain in { type filter hook input priority 0; drop; }; }'",
			open: "nft delete table arp deny",
		},
	} {
		for _, o := range datagramOutputs {
			t.Run(c.name+" "+o.name, func(t *testing.T) {
				nstest.Need(t, "tool:nfcapd", "tool:nfdump", "tool:nft")
				t.Parallel()
				const flows = 40000
				ns, far := nstest.New(t), nstest.New(t)
				nstest.Veth(t, ns, far, "a0", "10.9.0.1/24", "b0", "10.9.0.2/24")
				collector := startPatientNfcapd(t, far, "10.9.0.2")
				config := write(t, "ulogd.toml", `
stack = "file:PCAP,base:BASE,flow:FLOW,out:`+o.name+`"
[file]
file = "`+flowsFile(t, flows)+`"
[out]
host = "10.9.0.2:9995"
`+o.options)
				if c.first {
					ns.Run(t, "sh -c", c.close)
				}
				d := ns.Start(t, daemon+" -v -l 3 -c "+config)
				d.WaitOutput("is up", time.Minute)
				if !c.first {
					time.Sleep(300 * time.Millisecond)
					ns.Run(t, "sh -c", c.close)
				}
				time.Sleep(2500 * time.Millisecond)
				ns.Run(t, "sh -c", c.open)
				if st := d.Wait(time.Minute); st.ExitCode() != 0 {
					t.Errorf("exit code %d", st.ExitCode())
				}
				got, gaps := collector.flows(t, far)
				if n := unread(t, far); n > 0 {
					t.Errorf("nfcapd's socket had no room for %d datagrams: what is missing may be that", n)
				}
				if got < flows-c.under || got > flows || got == flows && gaps != 0 {
					t.Errorf("nfcapd has %d of %d flows, and misses messages %d times\n%s", got, flows, gaps, d.Output())
				}
				mustLog(t, d.Output(), `nothing can be sent to collector 10\.9\.0\.2:9995 now.*`+c.reason)
				mustLog(t, d.Output(), `sending to collector 10\.9\.0\.2:9995 works again`)
			})
		}
	}
}

// TestHurriedAtTheEnd: what does not fit into shutdown_timeout at the pace goes out faster, and the log
// says that it may be lost; what goes out is counted as before.
func TestHurriedAtTheEnd(t *testing.T) {
	nstest.Need(t, "tool:nfcapd", "tool:nfdump")
	ns := nstest.New(t)
	collector := startNfcapd(t, ns)
	config := write(t, "ulogd.toml", `
shutdown_timeout = 2
stack = "file:PCAP,base:BASE,flow:FLOW,out:NETFLOW9"
[file]
file = "`+flowsFile(t, 30000)+`"
[out]
host = "127.0.0.1:9995"
rate = 1000
`)
	d := ns.Start(t, daemon+" -v -l 3 -c "+config)
	d.WaitOutput("is up", time.Minute)
	time.Sleep(2 * time.Second)
	began := time.Now()
	state := d.Stop(syscall.SIGTERM)
	if took := time.Since(began); state.ExitCode() != 0 || took > 20*time.Second {
		t.Errorf("exit code %d after %v", state.ExitCode(), took)
	}
	mustLog(t, d.Output(), `shutdown_timeout is too short for the rate.*127\.0\.0\.1:9995`)
	m := regexp.MustCompile(`id=out plugin=NETFLOW9 in=(\d+) out=(\d+)`).FindStringSubmatch(d.Output())
	if m == nil || m[1] != m[2] {
		t.Fatalf("not all that came to the output went out:\n%s", d.Output())
	}
	sent, _ := strconv.Atoi(m[2])
	if got, _ := collector.flows(t, ns); got < 2000 || got > sent {
		t.Errorf("nfcapd has %d flows of %d", got, sent)
	}
}

// TestCollectorThatComesBackDecodesAll: what is sent to a collector that was started again it can
// decode from the first record on.
func TestCollectorThatComesBackDecodesAll(t *testing.T) {
	nstest.Need(t, "tool:nfcapd", "tool:nfdump")
	for _, o := range datagramOutputs {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			ns := nstest.New(t)
			collector := startNfcapd(t, ns)
			config := write(t, "ulogd.toml", `
stack = "gen:GEN,out:`+o.name+`"
[gen]
rate = 1000
count = 1000000
[out]
host = "127.0.0.1:9995"
flush_interval = 0.1
`+o.options)
			d := ns.Start(t, daemon+" -v -l 3 -c "+config)
			d.WaitOutput("is up", time.Minute)
			time.Sleep(time.Second)
			if got, _ := collector.flows(t, ns); got == 0 {
				t.Error("nothing came before the collector ended")
			}
			d.WaitOutput(`collector 127\.0\.0\.1:9995 is away: its host refuses`, time.Minute)
			again := startNfcapd(t, ns)
			d.WaitOutput(`collector 127\.0\.0\.1:9995 is back`, time.Minute)
			d.Stop(syscall.SIGTERM)
			got, _ := again.flows(t, ns)
			if got < 1000 {
				t.Errorf("nfcapd has %d flows of more than two seconds", got)
			}
			if unknown := regexp.MustCompile(`(?i)no template|unknown template`).FindAllString(again.Output(), -1); len(unknown) > 0 {
				t.Errorf("nfcapd lacked a template %d times:\n%s", len(unknown), again.Output())
			}
		})
	}
}

// leading returns what has the name collector.test lead to an address in a namespace.
func leading(t *testing.T, ns *nstest.NS) (lead func(to string)) {
	t.Helper()
	etc := filepath.Join("/etc/netns", ns.Name()) // `ip netns exec` puts it over /etc
	if err := os.MkdirAll(etc, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(etc); os.Remove("/etc/netns") })
	return func(to string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(etc, "hosts"), []byte(to+" collector.test\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCollectorMoves: a name that leads to another address is followed: after resolve_interval, or
// when the host of the first refuses.
func TestCollectorMoves(t *testing.T) {
	for _, refuses := range []bool{false, true} {
		for _, o := range datagramOutputs {
			t.Run(fmt.Sprintf("refuses=%v %s", refuses, o.name), func(t *testing.T) {
				t.Parallel()
				nstest.Need(t, "tool:nfcapd", "tool:nfdump")
				ns := nstest.New(t)
				lead := leading(t, ns)
				lead("127.0.0.2")
				before, after := startNfcapdAt(t, ns, "127.0.0.2"), startNfcapdAt(t, ns, "127.0.0.3")
				interval := "1"
				if refuses {
					interval = "3600"
				}
				config := write(t, "ulogd.toml", `
stack = "gen:GEN,out:`+o.name+`"
[gen]
rate = 1000
count = 1000000
[out]
host = "collector.test:9995"
resolve_interval = `+interval+`
flush_interval = 0.1
`+o.options)
				d := ns.Start(t, daemon+" -v -l 3 -c "+config)
				d.WaitOutput("is up", time.Minute)
				time.Sleep(time.Second)
				lead("127.0.0.3")
				first := 0
				if refuses {
					time.Sleep(6 * time.Second) // the library keeps the file for five seconds
					first, _ = before.flows(t, ns)
				}
				d.WaitOutput(`collector collector\.test:9995 has another address.*127\.0\.0\.3`, time.Minute)
				time.Sleep(time.Second)
				d.Stop(syscall.SIGTERM)
				if !refuses {
					first, _ = before.flows(t, ns)
				}
				if first == 0 {
					t.Error("nothing came to the first address")
				}
				if got, _ := after.flows(t, ns); got == 0 {
					t.Error("nothing came to the second address")
				}
				if strings.Contains(after.Output(), "template") {
					t.Errorf("the collector lacked a template:\n%s", after.Output())
				}
			})
		}
	}
}

// TestCollectorsMachineIsOff: nobody answers who has the collector's address, for longer than the kernel
// asks. What was sent before that showed is lost, and the log says so; the rest waits.
func TestCollectorsMachineIsOff(t *testing.T) {
	const (
		rate, flows = 2000, 60000 // GEN's connections have a flow each way
		off         = 20          // seconds; the kernel gives up after three, and again and again
		onTheWay    = 4500        // twice what the kernel's part holds, and some
	)
	for _, c := range []struct{ output, options, near, far, deaf string }{
		{
			"IPFIX", "proto = \"udp\"\n", "10.9.0.1/24", "10.9.0.2/24",
			"table arp deny { chain in { type filter hook input priority 0; drop; }; }",
		},
		{
			"NETFLOW9", "", "fd09::1/64 nodad", "fd09::2/64 nodad",
			"table ip6 deny { chain in { type filter hook input priority 0; icmpv6 type nd-neighbor-advert drop; }; }",
		},
	} {
		t.Run(c.output, func(t *testing.T) {
			nstest.Need(t, "tool:nfcapd", "tool:nfdump", "nft")
			t.Parallel()
			ns, far := nstest.New(t), nstest.New(t)
			nstest.Veth(t, ns, far, "a0", "", "b0", "")
			ns.Run(t, "ip address add dev a0 "+c.near)
			far.Run(t, "ip address add dev b0 "+c.far)
			host, _, _ := strings.Cut(c.far, "/")
			collector := startPatientNfcapd(t, far, host)
			config := write(t, "ulogd.toml", fmt.Sprintf(`
stack = "gen:GEN,out:%s"
[gen]
rate = %d
count = %d
[out]
host = "%s"
port = 9995
flush_interval = 0.1
%s`, c.output, rate/2, flows/2, host, c.options))
			d := ns.Start(t, daemon+" -v -l 3 -c "+config)
			d.WaitOutput("is up", time.Minute)
			time.Sleep(time.Second)
			ns.Nft(t, c.deaf)
			ns.Run(t, "ip neigh delete "+host+" dev a0")
			time.Sleep(off * time.Second)
			ns.Nft(t, "delete "+strings.Join(strings.Fields(c.deaf)[:3], " "))
			if st := d.Wait(time.Minute); st.ExitCode() != 0 {
				t.Errorf("exit code %d", st.ExitCode())
			}
			got, _ := collector.flows(t, far)
			m := regexp.MustCompile(`id=out plugin=.* out=(\d+)`).FindStringSubmatch(d.Output())
			if m == nil {
				t.Fatalf("no summary\n%s", d.Output())
			}
			sent, _ := strconv.Atoi(m[1])
			t.Logf("nfcapd has %d of %d flows", got, sent)
			if sent != flows || got < sent-onTheWay || got > sent {
				t.Errorf("nfcapd has %d of %d flows\n%s", got, sent, d.Output())
			}
			mustLog(t, d.Output(), `nothing can be sent to collector .*: nothing has left this machine for 1`)
			mustLog(t, d.Output(), `sending to collector .* works again.* after=(1[6-9]|2)`)
		})
	}
}
