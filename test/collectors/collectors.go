// Package collectors starts programs that receive flows, as somebody installs them: on their own
// ports, in their default configuration.
package collectors

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// A Collector is a program, and how it is started.
type Collector struct {
	Name string
	Port string // its own

	module  string // in test/peers; "": of Debian
	ready   string // what it prints when it is ready to print, besides that it listens
	command func(t testing.TB, dir, program, protocol string) string
	end     syscall.Signal
}

// Nfcapd writes files into the directory that it is started with, which nfdump reads.
var Nfcapd = Collector{
	Name: "nfcapd", Port: "9995", end: syscall.SIGTERM,
	command: func(_ testing.TB, dir, _, _ string) string { return "nfcapd -w " + dir },
}

// Nfacctd returns nfacctd. It prints JSON, and of each flow what it is told to tell apart. On its
// command line that would be cut.
func Nfacctd(primitives string) Collector {
	return Collector{
		Name: "nfacctd", Port: "2100", end: syscall.SIGINT, // it takes no other for its end
		ready: "Purging cache - END", // its process for the output begins later than it listens, and misses what comes before
		command: func(t testing.TB, dir, _, _ string) string {
			config := filepath.Join(dir, "nfacctd.conf")
			text := "plugins: print\nprint_output: json\nprint_refresh_time: 1\nnfacctd_ip: 127.0.0.1\nnfacctd_port: 2100\n" +
				"aggregate: " + primitives + "\n"
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			return "env TZ=UTC nfacctd -f " + config
		},
	}
}

// Goflow2 prints JSON.
var Goflow2 = Collector{
	Name: "goflow2", Port: "2055", end: syscall.SIGTERM,
	module:  "github.com/netsampler/goflow2/v2/cmd/goflow2",
	command: func(_ testing.TB, _, program, _ string) string { return program },
}

// Telegraf prints its metrics as JSON (test/peers/telegraf). Of NetFlow v5 it has to be told.
var Telegraf = Collector{
	Name: "telegraf", Port: "2055", end: syscall.SIGTERM, module: "./telegraf",
	command: func(_ testing.TB, _, program, protocol string) string {
		return program + " 127.0.0.1:2055 " + map[string]string{"NETFLOW5": "netflow_v5"}[protocol]
	},
}

// Program returns the program. One that is not in Debian is built, which takes minutes:
// ULOGD_PEERS=1 asks for it, as make test does. Without, the test is skipped.
func (c *Collector) Program(t testing.TB) string {
	t.Helper()
	if c.module == "" {
		nstest.Need(t, "root", "tool:"+c.Name)
		return c.Name
	}
	if os.Getenv("ULOGD_PEERS") == "" {
		t.Skip("it is built with ULOGD_PEERS=1 only, as in make test")
	}
	nstest.Need(t, "root")
	program := filepath.Join(t.TempDir(), c.Name)
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program, c.module)
	build.Dir = "../peers"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// A Running collector is one that listens.
type Running struct {
	*Collector
	Dir string // where it may write files

	ns   *nstest.NS
	proc *nstest.Proc
}

// Start starts the program, for one of IPFIX, NETFLOW9 and NETFLOW5, and returns when it listens.
func (c *Collector) Start(t testing.TB, ns *nstest.NS, program, protocol string) *Running {
	t.Helper()
	dir := t.TempDir()
	r := &Running{c, dir, ns, ns.Start(t, c.command(t, dir, program, protocol))}
	ns.Do(t, func() {
		if !nstest.BoundUDP(c.Port, nil) {
			t.Fatalf("%s does not listen\n%s", c.Name, r.proc.Output())
		}
	})
	if c.ready != "" {
		r.proc.WaitOutput(c.ready, time.Minute)
	}
	return r
}

// Output is what it has printed so far.
func (r *Running) Output() string { return r.proc.Output() }

// Stop ends the program when it has written what it received, and returns what it printed.
func (r *Running) Stop(t testing.TB) string {
	t.Helper()
	r.ns.Do(t, func() { nstest.DrainUDP(t, r.Port) })
	for before := -1; before != len(Rows(r.Output())); { // some say in their log that nothing came
		before = len(Rows(r.Output()))
		time.Sleep(2500 * time.Millisecond) // nfacctd prints each second
	}
	r.proc.Stop(r.end)
	return r.proc.Output()
}
