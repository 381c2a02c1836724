// A hundred reloads of a gateway's daemon under a flood of connections and logged packets, some of
// them while its collector is away.

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/test/ipfixtest"
	"ulogd/test/nstest"
)

// reloadConfig is what stays; STACKS are those that come and go, MASK a setting that changes and
// lets all pass.
const reloadConfig = `
control = "DIR/control"
stack = [STACKS
	"ct1:NFCT,ipfix1:IPFIX",
	"log1:NFLOG,mark1:MARK,base1:BASE,ifi1:IFINDEX,ip2str1:IP2STR,print1:PRINTPKT,emu1:LOGEMU",
]

[ct1]
accept_src_filter = "10.0.0.0/8"
event_mask = 4
initial_dump = false
expire_interval = 0
netlink_socket_buffer_size = "64MiB"
netlink_socket_buffer_maxsize = "64MiB"

[ipfix1]
oid = 1
host = "127.0.0.1"
direction = "sum"
reconnect_interval = 1
spool = "DIR/spool"

[log1]
group = 1
netlink_socket_buffer_size = "64MiB"

[mark1]
MASK

[emu1]
file = "DIR/packets"

[json1]
file = "DIR/json"

[nacct1]
file = "DIR/nacct"
`

func TestReloadsUnderAFlood(t *testing.T) {
	nstest.Need(t, "root", "nf_conntrack", "nft", "nflog", "tool:conntrack")
	const reloads, away = 100, 20
	ns := nstest.New(t)
	nstest.EnableConntrack(t, ns)
	ns.Nft(t, `table inet t {
	chain o { type filter hook output priority -400; tcp dport 4739 notrack; tcp sport 4739 notrack; udp dport 9 notrack; }
	chain p { type filter hook prerouting priority -400; tcp dport 4739 notrack; tcp sport 4739 notrack; udp dport 9 notrack; }
	chain out { type filter hook output priority 0; udp dport 9 log prefix "flood " group 1; }
	chain in { type filter hook input priority 0; udp dport 9 drop; }
}`)
	dir := t.TempDir()
	config := filepath.Join(dir, "ulogd.toml")
	set := func(stacks, mask string) {
		t.Helper()
		text := strings.NewReplacer("DIR", dir, "STACKS", stacks, "MASK", mask).Replace(reloadConfig)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set("", "mask = 0")
	d := ns.Start(t, daemon+" -v -l 5 -c "+config)
	nstest.Eventually(t, time.Minute, func() error {
		return exec.Command(daemon, "stats", "-c", config).Run()
	})

	var flood sync.WaitGroup
	end := make(chan struct{})
	var flows, packets int64
	flood.Go(func() {
		for {
			nstest.FillConntrack(t, ns, 500)
			ns.Run(t, "conntrack -F")
			flows += 500
			select {
			case <-end:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	flood.Go(func() {
		ns.Do(t, func() {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Error(err)
				return
			}
			defer unix.Close(fd)
			for {
				select {
				case <-end:
					return
				default:
				}
				for range 100 {
					if err := unix.Sendto(fd, []byte("abcde"), 0,
						&unix.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 1, 1}}); err != nil {
						t.Error(err)
						return
					}
					packets++
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
	})

	var sink *ipfixtest.Collector
	for i := range reloads {
		if i == away { // the collector was away so far
			sink = ipfixtest.Start(t, ns)
		}
		stacks := []string{
			"", "\n\t\"ct1:NFCT,json1:JSON\",",
			"\n\t\"ct1:NFCT,json1:JSON\",\n\t\"ct1:NFCT,ip2str1:IP2STR,nacct1:NACCT\",", "",
		}[i%4]
		set(stacks, []string{"mask = 0", "mark = 0\nmask = 0"}[i/2%2])
		if out, err := exec.Command(daemon, "reload", "-c", config).CombinedOutput(); err != nil {
			t.Fatalf("reload %d: %v\n%s", i, err, out)
		}
	}
	close(end)
	flood.Wait()
	nstest.Eventually(t, time.Minute, func() error {
		if n := sink.Records.Load(); n < flows {
			return fmt.Errorf("%d of %d flows are at the collector", n, flows)
		}
		if n := stats(t, config, "emu1").Out; n < packets {
			return fmt.Errorf("%d of %d packets are logged", n, packets)
		}
		return nil
	})
	if state := d.Stop(syscall.SIGTERM); state.ExitCode() != 0 {
		t.Errorf("exit code %d\n%s", state.ExitCode(), d.Output())
	}
	sink.Sessions.Wait()
	if n, gaps := sink.Records.Load(), sink.Gaps.Load(); n != flows || gaps != 0 {
		t.Errorf("%d of %d flows at the collector, %d gaps in their sequence", n, flows, gaps)
	}
	text, err := os.ReadFile(filepath.Join(dir, "packets"))
	if err != nil {
		t.Fatal(err)
	}
	if n := int64(bytes.Count(text, []byte("\n"))); n != packets {
		t.Errorf("%d of %d packets in the log", n, packets)
	}
	for _, name := range []string{"json", "nacct"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || len(text) == 0 {
			t.Errorf("%s: %d octets, %v", name, len(text), err)
		}
	}
	mustLog(t, d.Output(), `id=ipfix1 plugin=IPFIX in=\d+ out=\d+ sessions=1`) // a reload leaves it alone
	t.Logf("%d reloads, %d flows, %d packets", reloads, flows, packets)
}
