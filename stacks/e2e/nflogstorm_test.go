package e2e

import (
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ulogd/engine/nstest"
)

// TestNFLOGStormWithLogrotate sends packets as fast as one processor can while logrotate puts the file aside again and again: logged and lost packets
// are what was sent, and no record is torn, in two files or in none.
func TestNFLOGStormWithLogrotate(t *testing.T) {
	nstest.Need(t, "root", "nft", "nflog", "tool:logrotate")
	for _, c := range []struct {
		outputs, plugin string
		records         func(text string) ([]int, error) // the numbers of a file's packets; an error if one is not whole
	}{
		{"p1:PRINTPKT,out:LOGEMU", "LOGEMU", each(strings.Lines, `[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d \S+ storm  IN= OUT=lo MAC= SRC=127\.0\.0\.1 DST=([\d.]+) LEN=33 TOS=00 .* SPT=\d+ DPT=9 LEN=13 UID=0 GID=0 MARK=0x0 \n`)},
		{"out:GPRINT", "GPRINT", each(strings.Lines, `raw\.pktlen=33,raw\.pktcount=1,.*,ip\.saddr\.str=127\.0\.0\.1,ip\.daddr\.str=([\d.]+)\n`)},
		{"out:OPRINT", "OPRINT", each(blocks, `raw\.pkt=default\n(?:[a-z._0-9]+=.*\n)*ip\.daddr\.str=([\d.]+)\n`)},
		{"out:JSON", "JSON", objects},
	} {
		t.Run(c.plugin, func(t *testing.T) {
			s := startStorm(t, c.outputs)
			n := stormSize()
			s.rotate(t, n)
			s.settle(t)
			s.check(t, c.records)
		})
	}
}

// stormSize is how many packets a storm has.
func stormSize() int {
	if os.Getenv("ULOGD_STORMS") != "" {
		return 2_000_000
	}
	return 100_000
}

// nflogStorm is a daemon that logs the packets of a flood to a file.
type nflogStorm struct {
	ns                    *nstest.NS
	daemon                *nstest.Proc
	config, file, pidfile string
	sent                  atomic.Int64
}

func startStorm(t *testing.T, outputs string) *nflogStorm {
	dir := t.TempDir()
	s := &nflogStorm{ns: nstest.New(t), file: filepath.Join(dir, "records"), pidfile: filepath.Join(dir, "pid")}
	s.ns.Nft(t, `table inet t {
		chain out { type filter hook output priority 0; udp dport 9 log prefix "storm " group 1; }
		chain in { type filter hook input priority 0; udp dport 9 drop; }
	}`)
	s.config = write(t, "ulogd.conf", fmt.Sprintf("[global]\ncontrol=%q\nstack=log1:NFLOG,b1:BASE,i1:IFINDEX,s1:IP2STR,%s\n[log1]\ngroup=1\nnetlink_socket_buffer_size=%d\n[out]\nfile=%q\nqueue=%d\n",
		filepath.Join(dir, "control"), outputs, 64<<20, s.file, 2*stormSize())) // so that a disk which others keep busy costs nothing
	s.daemon = s.ns.Start(t, daemon+" -v -l 3 -p "+s.pidfile+" -c "+s.config)
	s.daemon.WaitOutput("initialization finished", 10*time.Second)
	return s
}

// rotations is how often logrotate puts the file aside.
const rotations = 4

// rotate sends n packets, or more if logrotate takes longer.
func (s *nflogStorm) rotate(t *testing.T, n int) {
	dir := t.TempDir()
	rules := filepath.Join(dir, "rules")
	text := s.file + " {\n missingok\n rotate 100\n sharedscripts\n create 640\n postrotate\n  kill -HUP $(cat " + s.pidfile + ")\n endscript\n}\n"
	if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var rotated atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		flood(t, s.ns, &s.sent, func() bool { return int(s.sent.Load()) >= n && rotated.Load() })
	}()
	for i := range rotations {
		for int(s.sent.Load()) < n*(i+1)/(rotations+1) && !t.Failed() {
			time.Sleep(time.Millisecond)
		}
		if out, err := exec.Command("logrotate", "-f", "-s", filepath.Join(dir, "state"), rules).CombinedOutput(); err != nil {
			t.Errorf("logrotate: %v\n%s", err, out)
		}
	}
	rotated.Store(true)
	<-done
}

// settle waits until the storm is over, and sends a few packets more: their numbers tell the daemon of what was lost at its end.
func (s *nflogStorm) settle(t *testing.T) {
	for before := int64(-1); before != stats(t, s.config, "log1").Made; time.Sleep(300 * time.Millisecond) {
		before = stats(t, s.config, "log1").Made
	}
	end := s.sent.Load() + 3
	flood(t, s.ns, &s.sent, func() bool { return s.sent.Load() == end })
	nstest.Eventually(t, 30*time.Second, func() error {
		if in := stats(t, s.config, "log1"); in.Made+in.Lost != s.sent.Load() {
			return fmt.Errorf("%d packets logged and %d lost of %d", in.Made, in.Lost, s.sent.Load())
		}
		return nil
	})
}

// check ends the daemon and reads its files.
func (s *nflogStorm) check(t *testing.T, records func(string) ([]int, error)) {
	in := stats(t, s.config, "log1")
	if state := s.daemon.Stop(syscall.SIGTERM); state.ExitCode() != 0 {
		t.Errorf("exit code %d\n%s", state.ExitCode(), s.daemon.Output())
	}
	files, _ := filepath.Glob(s.file + "*")
	if len(files) != rotations+1 {
		t.Errorf("%d files, want %d: %v", len(files), rotations+1, files)
	}
	seen := make([]bool, s.sent.Load())
	logged := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		numbers, err := records(string(text))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(numbers) == 0 {
			t.Errorf("%s is empty: the rotation was not in the midst of the storm", file)
		}
		for _, n := range numbers {
			if seen[n] {
				t.Fatalf("%s: packet %d is there twice", file, n)
			}
			seen[n] = true
			logged++
		}
	}
	if logged+int(in.Lost) != len(seen) {
		t.Errorf("%d packets logged and %d lost of %d", logged, in.Lost, len(seen))
	}
	t.Logf("%d packets sent, %d logged, %d lost by the kernel", len(seen), logged, in.Lost)
}

// each makes a reader of records that must match an expression, whose first group is the destination.
func each(split func(string) iter.Seq[string], expr string) func(string) ([]int, error) {
	re := regexp.MustCompile("^" + expr + "$")
	return func(text string) (numbers []int, err error) {
		for record := range split(text) {
			m := re.FindStringSubmatch(record)
			if m == nil {
				return nil, fmt.Errorf("a torn record %q", record)
			}
			numbers = append(numbers, numberOf(m[1]))
		}
		return numbers, nil
	}
}

// blocks are OPRINT's records.
func blocks(text string) iter.Seq[string] {
	const boundary = "===>PACKET BOUNDARY\n"
	return strings.SplitSeq(strings.TrimPrefix(text, boundary), boundary)
}

// objects reads JSON's records.
func objects(text string) (numbers []int, err error) {
	for line := range strings.Lines(text) {
		var o struct {
			Destination string `json:"dest_ip"`
			Length      int    `json:"udp.len"`
		}
		if err := json.Unmarshal([]byte(line), &o); err != nil || o.Length != 13 || !strings.HasSuffix(line, "}\n") {
			return nil, fmt.Errorf("a torn record %q: %w", line, err)
		}
		numbers = append(numbers, numberOf(o.Destination))
	}
	return numbers, nil
}
