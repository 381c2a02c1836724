// One flood of logged packets, and what it costs a daemon.

package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/test/bench/measure"
)

// result is one flood.
type result struct {
	sent, logged int
	took         time.Duration // to send
	cpu          time.Duration // of the daemon
}

// cost is microseconds of the daemon's CPU time per logged packet.
func (r result) cost() float64 { return float64(r.cpu.Nanoseconds()) / 1e3 / float64(max(r.logged, 1)) }

const (
	home, peer = "benchnflog0", "benchnflog1"
	port       = 9
	payload    = 64
	buffer     = 64 << 20
)

// flood runs one daemon through one flood. The sender has the first CPU, the daemon the others.
func flood(dir, program string, threshold, packets int) (r result, err error) {
	if err := build(threshold); err != nil {
		return r, err
	}
	defer demolish()
	file := filepath.Join(dir, "lines")
	os.Remove(file)
	conf := filepath.Join(dir, "ulogd.conf")
	if err := os.WriteFile(conf, []byte(config(file)), 0o600); err != nil {
		return r, err
	}
	daemon := exec.Command("ip", "netns", "exec", home, "taskset", "-c", fmt.Sprintf("1-%d", max(1, runtime.NumCPU()-1)), program, "-c", conf)
	var log bytes.Buffer
	daemon.Stdout, daemon.Stderr = &log, &log
	if err := daemon.Start(); err != nil {
		return r, err
	}
	defer daemon.Wait()
	defer daemon.Process.Kill()
	if err := waitReady(daemon.Process.Pid); err != nil {
		return r, fmt.Errorf("%w: %s", err, log.String())
	}
	before, start := measure.CPUTime(daemon.Process.Pid), time.Now()
	if r.sent, err = send(packets); err != nil {
		return r, err
	}
	r.took = time.Since(start)
	for last, quiet := -1, 0; quiet < 15; time.Sleep(100 * time.Millisecond) { // until nothing more is written
		size := 0
		if info, err := os.Stat(file); err == nil {
			size = int(info.Size())
		}
		if size == last {
			quiet++
		} else {
			last, quiet = size, 0
		}
	}
	r.cpu = measure.CPUTime(daemon.Process.Pid) - before
	daemon.Process.Signal(unix.SIGTERM)
	daemon.Wait()
	text, err := os.ReadFile(file)
	r.logged = bytes.Count(text, []byte("\n"))
	return r, err
}

func config(file string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[global]\nlogfile=\"/dev/null\"\n")
	plugins, _ := filepath.Glob("/usr/lib/*/ulogd/*.so") // this daemon ignores them
	for _, p := range plugins {
		fmt.Fprintf(&b, "plugin=%q\n", p)
	}
	fmt.Fprintf(&b, `stack=log1:NFLOG,base1:BASE,ifi1:IFINDEX,ip2str1:IP2STR,print1:PRINTPKT,emu1:LOGEMU
[log1]
group=1
netlink_socket_buffer_size=%d
netlink_socket_buffer_maxsize=%d
[emu1]
file=%q
`, buffer, buffer+1, file)
	return b.String()
}

// build makes the namespaces, the cable and the rule.
func build(threshold int) error {
	demolish()
	for _, c := range []string{
		"ip netns add " + home, "ip netns add " + peer,
		"ip -n " + home + " link add eth0 type veth peer name eth0 netns " + peer,
		"ip -n " + home + " address add 10.99.0.1/24 dev eth0", "ip -n " + peer + " address add 10.99.0.2/24 dev eth0",
		"ip -n " + home + " link set eth0 up", "ip -n " + peer + " link set eth0 up",
	} {
		if err := command(strings.Fields(c)...); err != nil {
			return err
		}
	}
	mac, err := exec.Command("ip", "netns", "exec", home, "cat", "/sys/class/net/eth0/address").Output()
	if err != nil {
		return err
	}
	if err := command("ip", "-n", peer, "neigh", "add", "10.99.0.1", "lladdr", strings.TrimSpace(string(mac)), "dev", "eth0"); err != nil {
		return err
	}
	rules := fmt.Sprintf(`table inet t { chain pre { type filter hook prerouting priority -500; udp dport %d log prefix "bench " group 1 snaplen 96 queue-threshold %d drop; }; }`, port, threshold)
	return command("ip", "netns", "exec", home, "nft", rules)
}

// demolish removes what build made, or what an earlier run left.
func demolish() {
	for _, ns := range []string{home, peer} {
		exec.Command("ip", "netns", "del", ns).Run() // it may not be there
	}
}

// waitReady waits until the group has a reader.
func waitReady(pid int) error {
	for range 200 {
		if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/netfilter/nfnetlink_log", pid)); err == nil && len(text) > 0 {
			time.Sleep(200 * time.Millisecond)
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("the daemon does not read the group")
}

// send sends packets as fast as one CPU can, from within the far namespace, and returns how many
// left.
func send(packets int) (sent int, err error) {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // in another namespace for good: the thread ends with the goroutine
		done <- func() error {
			f, err := os.Open("/run/netns/" + peer)
			if err != nil {
				return err
			}
			defer f.Close()
			if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
				return err
			}
			var first unix.CPUSet
			first.Set(0)
			if err := unix.SchedSetaffinity(0, &first); err != nil {
				return err
			}
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			to := unix.SockaddrInet4{Port: port, Addr: [4]byte(net.IPv4(10, 99, 0, 1).To4())}
			if err := unix.Connect(fd, &to); err != nil {
				return err
			}
			var messages [measure.MostAtOnce][]byte
			for i := range messages {
				messages[i] = make([]byte, payload)
			}
			for s := measure.NewSender(fd, messages[:]); sent < packets; {
				n := min(len(messages), packets-sent)
				if err := s.Send(n); err != nil {
					return err
				}
				sent += n
			}
			return nil
		}()
	}()
	return sent, <-done
}

func command(args ...string) error {
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}
