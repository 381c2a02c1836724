// A first collector that takes a session and then nothing: its host is behind a firewall that drops
// what comes, or its program has stopped. The standby gets what was not acknowledged and all that
// follows.

package e2e

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"ulogd/test/ipfixtest"
	"ulogd/test/nstest"
)

// recorderEnv makes the test's program a collector that writes each session's octets to files of
// this directory.
const recorderEnv = "ULOGD_TEST_RECORD"

// record takes sessions on an address until SIGTERM.
func record(dir, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	go func() {
		for i := 0; ; i++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f, err := os.Create(filepath.Join(dir, fmt.Sprint("session", i)))
			if err != nil {
				panic(err)
			}
			go io.Copy(f, conn)
		}
	}()
	<-end
	return nil
}

func startRecorder(t *testing.T, ns *nstest.NS, address string) (p *nstest.Proc, dir string) {
	t.Helper()
	dir = t.TempDir()
	p = ns.Start(t, fmt.Sprintf("env %s=%s %s %s", recorderEnv, dir, os.Args[0], address))
	ns.Do(t, func() {
		if !nstest.BoundTCP("4739", nil) {
			t.Error("the collector does not listen")
		}
	})
	return p, dir
}

// sources adds the source addresses of the records in all sessions of a directory.
func sources(t *testing.T, dir string, all map[[4]byte]bool) (records int) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, "session*"))
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		layouts := map[uint16]ipfixtest.Layout{}
		for len(b) >= 16 {
			n := int(binary.BigEndian.Uint16(b[2:]))
			if n < 16 || n > len(b) {
				break // the end of a session that was given up
			}
			records += eachRecord(t, b[16:n], layouts, all)
			b = b[n:]
		}
	}
	return records
}

// eachRecord adds the source addresses of a message's records (RFC 7011 section 3.3).
func eachRecord(t *testing.T, b []byte, layouts map[uint16]ipfixtest.Layout, all map[[4]byte]bool) (records int) {
	t.Helper()
	for len(b) >= 4 {
		id, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		body := b[4:n]
		b = b[n:]
		if id == 2 {
			ipfixtest.Learn(layouts, body)
			continue
		}
		l, ok := layouts[id]
		if !ok {
			t.Fatalf("a set of the unknown template %d", id)
		}
		for ; len(body) >= l.Length; body = body[l.Length:] {
			all[[4]byte(body[l.Source:])] = true
			records++
		}
	}
	return records
}

func TestFailoverFromACollectorThatTakesNothing(t *testing.T) {
	for _, c := range []struct {
		name  string
		close func(t *testing.T, ns *nstest.NS, first *nstest.Proc)
	}{
		{"black hole", func(t *testing.T, ns *nstest.NS, _ *nstest.Proc) {
			ns.Nft(t, "table ip hole { chain in { type filter hook input priority 0; ip daddr 127.0.0.2 drop; ip saddr 127.0.0.2 drop; }; }")
		}},
		{"stopped", func(_ *testing.T, _ *nstest.NS, first *nstest.Proc) { first.Signal(syscall.SIGSTOP) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			nstest.Need(t, "tool:nft")
			t.Parallel()
			const flows = 100000
			ns := nstest.New(t)
			ns.Run(t, "sysctl -qw", "net.ipv4.tcp_rmem=4096 65536 65536") // or a stopped collector's kernel takes all that there is
			first, firstDir := startRecorder(t, ns, "127.0.0.2:4739")
			standby, standbyDir := startRecorder(t, ns, "127.0.0.3:4739")
			pipe := filepath.Join(t.TempDir(), "pipe.pcap")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			config := write(t, "ulogd.toml", `
stack = "file:PCAP,base:BASE,flow:FLOW,out:IPFIX"
[file]
file = "`+pipe+`"
[flow]
inactive_timeout = 1
[out]
host = ["127.0.0.2", "127.0.0.3"]
mode = "failover"
failover_after = 2
buffer = "1MiB"
resend_time = 0
resend_window = 0
`)
			d := ns.Start(t, daemon+" -v -l 3 -c "+config)
			trace, err := os.ReadFile(flowsFile(t, flows))
			if err != nil {
				t.Fatal(err)
			}
			feed, err := os.OpenFile(pipe, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			third := len(trace) / 3
			feed.Write(trace[:third])
			d.WaitOutput(`session with collector 127\.0\.0\.2:4739 is up`, time.Minute)
			nstest.Eventually(t, time.Minute, func() error {
				if n := sources(t, firstDir, map[[4]byte]bool{}); n == 0 {
					return fmt.Errorf("nothing came to the first collector")
				}
				return nil
			})
			c.close(t, ns, first)
			feed.Write(trace[third:])
			feed.Close()
			if st := d.Wait(time.Minute); st.ExitCode() != 0 {
				t.Errorf("exit code %d", st.ExitCode())
			}
			mustLog(t, d.Output(), `session with collector 127\.0\.0\.2:4739 broke.*nothing was acknowledged for`)
			mustLog(t, d.Output(), `session with collector 127\.0\.0\.3:4739 is up`)
			if c.name == "stopped" {
				first.Signal(syscall.SIGCONT) // what its kernel has acknowledged it can still read
				time.Sleep(time.Second)
			}
			first.Stop(syscall.SIGTERM)
			standby.Stop(syscall.SIGTERM)
			all := map[[4]byte]bool{}
			one, two := sources(t, firstDir, all), sources(t, standbyDir, all)
			if len(all) != flows {
				t.Errorf("%d of %d flows came: %d records to the first collector, %d to the standby\n%s", len(all), flows, one, two, d.Output())
			}
			if two == 0 {
				t.Error("nothing came to the standby")
			}
		})
	}
}
