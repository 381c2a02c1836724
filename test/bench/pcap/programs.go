// The programs that are compared.

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// The names of our own runs.
const (
	oneWorker  = "ulogd"
	twoWorkers = "ulogd, 2 workers"
	overTCP    = "ulogd, IPFIX"
)

// program is one way to make flows of the trace.
type program struct {
	name string
	args []string
	peer bool // somebody else's
	sink bool // sends NetFlow v5 to the sink
	tcp  bool // sends IPFIX to the sink of streams
	// After the process has ended, clean is run.
	clean func()
}

// result is what a run took.
type result struct {
	user, system, wall time.Duration
	records            int // that arrived at the sink
	rss                int64
}

func (r result) cpu() time.Duration { return r.user + r.system }

// programs returns ulogd, and those of the others that are installed.
func (b *bench) programs(t trace) []program {
	all := []program{
		{name: oneWorker, args: b.daemon(t, "one.toml", ""), sink: true},
		{name: twoWorkers, args: b.daemon(t, "two.toml", "workers = 2"), sink: true},
		{name: overTCP, args: b.exporter(t, "ipfix.toml", "", "IPFIX", b.stream.address()), tcp: true},
	}
	at := b.sink.address()
	add := func(p program) {
		if _, err := exec.LookPath(p.args[0]); err != nil {
			fmt.Printf("%s is not installed and takes no part\n", p.args[0])
			return
		}
		p.peer = true
		all = append(all, p)
	}
	add(program{name: "softflowd", sink: true, args: []string{"softflowd", "-r", t.path, "-n", at, "-v", "5", "-d", "-m", "2000000", "-t", "maxlife=1800", "-t", "general=15", "-t", "tcp=15", "-t", "tcp.rst=15", "-t", "tcp.fin=15", "-t", "udp=15", "-t", "icmp=15"}})
	out := filepath.Join(b.dir, "nfpcapd")
	add(program{name: "nfpcapd", args: []string{"nfpcapd", "-r", t.path, "-l", out, "-e", "1800,15"}, clean: func() {
		os.RemoveAll(out)
		os.Mkdir(out, 0o755)
	}})
	os.Mkdir(out, 0o755)
	config := filepath.Join(b.dir, "pmacctd.conf")
	b.write("pmacctd.conf", fmt.Sprintf("daemonize: false\npcap_savefile: %s\nplugins: nfprobe\nnfprobe_receiver: %s\nnfprobe_version: 5\nnfprobe_timeouts: tcp=15:tcp.rst=15:tcp.fin=15:udp=15:icmp=15:general=15:maxlife=1800\naggregate: src_host,dst_host,src_port,dst_port,proto,tos\nplugin_buffer_size: 1024000\nplugin_pipe_size: 102400000\npcap_savefile_wait: 0\n", t.path, at))
	add(program{name: "pmacctd", args: []string{"pmacctd", "-f", config}, sink: true})
	return all
}

// daemon writes a configuration that sends NetFlow v5 and returns the command that runs it.
func (b *bench) daemon(t trace, name, flow string) []string {
	return b.exporter(t, name, flow, "NETFLOW5", b.sink.address())
}

func (b *bench) exporter(t trace, name, flow, output, at string) []string {
	pace := "rate = 0\n"
	if output == "IPFIX" { // over TCP there is none
		pace = ""
	}
	path := b.write(name, fmt.Sprintf("stack = [\"p:PCAP,b:BASE,f:FLOW,n:%s\"]\n[global]\nloglevel = 5\n[p]\nfile = [%q]\n[f]\n%s\n[n]\nhost = [%q]\n%s", output, t.path, flow, at, pace))
	return []string{b.ulogd, "-c", path}
}

func (b *bench) write(name, text string) string {
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		panic(err) // the directory is ours
	}
	return path
}

// run runs a program to its end.
func (b *bench) run(p program) (result, error) {
	b.sink.reset()
	cmd := exec.Command(p.args[0], p.args[1:]...)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	// ulogd says by status 3 that it could not tell everything: version 5 has no IPv6.
	const incomplete = 3
	if err != nil && (p.peer || cmd.ProcessState.ExitCode() != incomplete) {
		return result{}, fmt.Errorf("%v: %w\n%s", p.args, err, out)
	}
	r := result{user: cmd.ProcessState.UserTime(), system: cmd.ProcessState.SystemTime(), wall: time.Since(began)}
	if use, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.rss = int64(use.Maxrss) << 10
	}
	if p.clean != nil {
		p.clean()
	}
	switch {
	case p.sink:
		r.records = b.sink.settle()
	case p.tcp:
		r.records = b.stream.settle()
	}
	return r, nil
}
