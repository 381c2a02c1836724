// Memory over a long time: `make soak`.

package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// TestSoak runs for ULOGD_SOAK (an hour: 1h). Bursts of packets of all sizes are logged, as lines
// and as flows, and tracked: the daemon's memory is flat once it has seen everything.
func TestSoak(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("ULOGD_SOAK"))
	if err != nil {
		t.Skip("ULOGD_SOAK is no duration: make soak sets it")
	}
	ns := nstest.New(t)
	nstest.EnableConntrack(t, ns)
	ns.Nft(t, `table inet soak {
		chain out { type filter hook output priority 0; udp dport 9 log prefix "soak " group 7; }
		chain in { type filter hook input priority 0; ct state new accept; udp dport 9 drop; }
	}`)
	dir := t.TempDir()
	config := write(t, "ulogd.toml", fmt.Sprintf(`
stack = [
	"log:NFLOG,base:BASE,names:IFINDEX,text:IP2STR,print:PRINTPKT,lines:LOGEMU",
	"log:NFLOG,base:BASE,flow:FLOW,ipfix:IPFIX",
	"ct:NFCT,text:IP2STR,json:JSON",
]
[global]
control = %q
[log]
group = 7
[flow]
inactive_timeout = 5
[ipfix]
host = "127.0.0.1"
port = 4739
proto = "udp"
[lines]
file = "/dev/null"
[json]
file = "/dev/null"
`, filepath.Join(dir, "control")))
	var collector net.PacketConn
	ns.Do(t, func() { collector, err = net.ListenPacket("udp", "127.0.0.1:4739") })
	if err != nil {
		t.Fatal(err)
	}
	defer collector.Close()
	go func() {
		b := make([]byte, 64<<10)
		for {
			if _, _, err := collector.ReadFrom(b); err != nil {
				return
			}
		}
	}()
	d := start(t, ns, config)
	began := time.Now()
	var memory []int
	for next := began; time.Since(began) < length; {
		ns.Do(t, func() { burst(t) })
		if now := time.Now(); now.After(next) {
			next = now.Add(length / 400)
			memory = append(memory, anonymous(t, d.PID()))
		}
		time.Sleep(20 * time.Millisecond)
	}
	logged, tracked := stats(t, config, "log"), stats(t, config, "ct")
	d.Stop(syscall.SIGTERM)
	quarter := len(memory) / 4
	third, last := median(memory[2*quarter:3*quarter]), median(memory[3*quarter:])
	t.Logf("%s: %d packets logged and %d lost, %d connections; anonymous memory in KiB at first %d, by quarters %d %d %d %d, at most %d",
		length, logged.Made, logged.Lost, tracked.Made, memory[0], median(memory[:quarter]), median(memory[quarter:2*quarter]), third, last, slices.Max(memory))
	if last > third+third/20+4<<10 {
		t.Errorf("memory grows: %d KiB in the third quarter, %d in the last", third, last)
	}
	if logged.Made == 0 || tracked.Made == 0 {
		t.Error("nothing was read: the test shows nothing")
	}
}

// burst sends datagrams of all sizes over some new connections.
func burst(t *testing.T) {
	payload := make([]byte, 8000)
	for range 20 {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Error(err)
			return
		}
		for n := range 100 {
			c.WriteTo(payload[:10+n*n*3/4], &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}) // a full queue is no failure
		}
		c.Close()
	}
}

// anonymous returns the KiB of memory that a process has for itself.
func anonymous(t *testing.T, pid int) (kib int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	fmt.Sscan(rest, &kib)
	return kib
}

func median(list []int) int {
	if len(list) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(list))[len(list)/2]
}
