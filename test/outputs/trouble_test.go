// Whom an output writes to goes away and comes back: an operator reads of both in the log, at the
// default level, and of neither twice.

package outputs

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// An other is the other side of an output: it is there at first.
type other struct {
	args       []any // for the options
	away, back func()
}

// An outage is how an output loses the other side, and what the log then says.
type outage struct {
	name    string
	stack   string
	input   string
	options string
	begin   func(t *testing.T) other
	lost    []string // what it says at first, each once
	again   string   // what it says in the end
}

const (
	steadyFlows = "count = 0\nrate = 20000"
	unread      = "the reader has gone; records are dropped until there is one"
	read        = "there is a reader again"
	unconnected = "the connection is lost; connecting again"
	connected   = "connected again"
	full        = "the output does not keep up: records find its queue full and are dropped"
	room        = "the output's queue has room again"
	printed     = flows + ",s:IP2STR,p:PRINTFLOW"
)

var outages = map[string][]outage{
	"GPRINT": {toPipe(flows, `file = "%s"`)},
	"OPRINT": {toPipe(flows, `file = "%s"`)},
	"PRINT":  {toPipe(flows, `file = "%s"`)},
	"LOGEMU": {toPipe(printed, `file = "%s"`)},
	"NACCT":  {toPipe(flows+",s:IP2STR", `file = "%s"`)},
	"PCAP": {{
		stack: flows, input: packets, options: `file = "%s"`, begin: pipe, lost: []string{unread}, again: read,
	}},
	"JSON": {
		toPipe(flows, `file = "%s"`),
		{
			name: "full disk", stack: flows, options: `file = "%s/x"`, begin: disk,
			lost: []string{"cannot write; records are dropped until it works again"}, again: "the file works again",
		},
		toServer("tcp", flows, "mode = \"tcp\"\nhost = \"%s\"\nport = \"%s\""),
		toServer("unix", flows, "mode = \"unix\"\nfile = \"%s\""),
		toPort(flows, "mode = \"udp\"\nhost = \"%s\"\nport = \"%s\""),
	},
	"XML": {{
		name: "full disk", stack: flows, options: `directory = "%s"`, begin: disk,
		lost: []string{"cannot write; records are dropped until it works again"}, again: "the file works again",
	}},
	"SYSLOG": {
		toServer("unixgram", printed, `socket = "%s"`),
		toServer("tcp", printed, "transport = \"tcp\"\nhost = \"%s\"\nport = \"%s\""),
		toPort(printed, "transport = \"udp\"\nhost = \"%s\"\nport = \"%s\""),
	},
	"GRAPHITE": {toServer("tcp", "in:ROWS", "prefix = \"p\"\nhost = \"%s\"\nport = \"%s\"")},
	"IPFIX": {
		{
			name: "tcp", stack: flows, options: collector + "proto = \"tcp\"\nreconnect_interval = 1\nbuffer = \"256KiB\"", begin: server("tcp"),
			lost:  []string{"session with collector ADDRESS broke", "the buffer of collector ADDRESS is full: records are dropped"},
			again: "collector ADDRESS is back",
		},
		toCollector(`proto = "udp"`),
		{
			name: "full disk", stack: flows, options: "file = \"%s/x\"\nbuffer = \"1MiB\"", begin: disk,
			lost: []string{
				"cannot write; records wait in the buffer until it works again",
				"the buffer of collector ADDRESS is full: records are dropped",
			},
			again: "the file works again",
		},
	},
	"NETFLOW5": {toCollector("")},
	"NETFLOW9": {toCollector("")},
	"NULL":     nil, // has no other side
	"RECORD":   nil, // is the tests' own

	// How stores are lost and found is the store package's, and tested there.
	"CLICKHOUSE": nil,
	"KAFKA":      nil,
	"MYSQL":      nil,
	"PARQUET":    nil,
	"PGSQL":      nil,
	"SQLITE3":    nil,
}

const collector = "host = \"%s\"\nport = %s\n"

func toPipe(stack, options string) outage {
	return outage{stack: stack, options: options, begin: pipe, lost: []string{unread}, again: read}
}

// toServer is an outage of a connection: records wait in the queue, which becomes full.
func toServer(network, stack, options string) outage {
	return outage{
		name: network, stack: stack, options: options, begin: server(network),
		lost: []string{unconnected, "cannot connect; trying again", full}, again: connected,
	}
}

// toPort is an outage of a port to which datagrams go: nobody listens there any more.
func toPort(stack, options string) outage {
	return outage{
		name: "udp", stack: stack, options: options, begin: server("udp"),
		lost: []string{"records cannot be sent; those that come now are lost"}, again: "records can be sent again",
	}
}

func toCollector(options string) outage {
	return outage{
		name: "udp", stack: flows, options: collector + "flush_interval = 0.1\n" + options, begin: server("udp"),
		lost:  []string{"collector ADDRESS is away: its host refuses datagrams; what is sent to it now is lost"},
		again: "collector ADDRESS is back: its host refuses no more",
	}
}

func init() {
	stacktest.Feed("steady", map[string]string{"sum.name": "c", "sum.pkts": "1", "sum.bytes": "84", "oob.time": "1000000000"})
}

func TestLossAndReturnAreInTheLog(t *testing.T) {
	every(t, outages, "without its other side: add how it loses it", func(output string, list []outage) {
		for _, o := range list {
			t.Run(strings.TrimSpace(output+" "+o.name), func(t *testing.T) { o.try(t, output) })
		}
	})
}

func (o *outage) try(t *testing.T, output string) {
	t.Parallel()
	side := o.begin(t)
	input := o.input
	if strings.Contains(o.stack, "GEN") {
		input += "\n" + steadyFlows
	} else {
		input = "feed = \"steady\"\nevery = \"1ms\""
	}
	d := stacktest.Start(t, fmt.Sprintf("stack = \"%s,out:%s\"\n[in]\n%s\n[out]\nqueue = 512\nwhen_full = \"drop\"\n%s",
		o.stack, output, input, fmt.Sprintf(o.options, side.args...)))
	d.Eventually("records go out", func() bool { return d.Stats("out").Out > 0 })
	address := "DIR/x"
	if len(side.args) == 2 {
		address = fmt.Sprintf("%s:%s", side.args...)
	} else if len(side.args) == 1 {
		address = fmt.Sprint(side.args[0], "/x")
	}
	said := func(text string) int { return d.Log.AtDefault(strings.ReplaceAll(text, "ADDRESS", address)) }
	side.away()
	for _, text := range o.lost {
		d.Eventually("the log says: "+text, func() bool { return said(text) > 0 })
	}
	side.back()
	d.Eventually("the log says: "+o.again, func() bool { return said(o.again) > 0 })
	for _, text := range append(o.lost, o.again) {
		if n := said(text); n != 1 {
			t.Errorf("%d lines say: %s\n%s", n, text, d.Log)
		}
	}
	// How long it was, and what it has cost.
	line := regexp.MustCompile(`(?m)^WARN ` + regexp.QuoteMeta(strings.ReplaceAll(o.again, "ADDRESS", address)) + ` .*(lasted|away)=\S+`)
	if !line.MatchString(d.Log.String()) {
		t.Errorf("it does not tell how long it was:\n%s", d.Log)
	}
	if o.lost[len(o.lost)-1] == full {
		d.Eventually("the queue is empty again", func() bool { return said(room) == 1 })
	}
	d.Stop()
}

// pipe is a FIFO with a reader.
func pipe(t *testing.T) other {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	var r *os.File
	open := func() {
		f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		r = f
		go func() {
			for buf := make([]byte, 1<<16); err == nil || errors.Is(err, io.EOF); { // there is no writer yet
				if _, err = f.Read(buf); err != nil {
					time.Sleep(time.Millisecond)
				}
			}
		}()
	}
	open()
	t.Cleanup(func() { r.Close() })
	return other{[]any{path}, func() { r.Close() }, open}
}

// disk is a file system that is full while the other side is away.
func disk(t *testing.T) other {
	dir := t.TempDir()
	resize := nstest.Disk(t, dir, 64<<20)
	ballast := filepath.Join(dir, "ballast")
	return other{[]any{dir}, func() {
		f, err := os.Create(ballast)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for err == nil {
			_, err = f.Write(make([]byte, 1<<20))
		}
	}, func() {
		os.Remove(ballast)
		resize(128 << 20)
	}}
}

// server is somebody who reads what comes to a socket, and throws it away.
func server(network string) func(t *testing.T) other {
	return func(t *testing.T) other {
		var args []any
		address, host, port := filepath.Join(t.TempDir(), "socket"), "", ""
		switch network {
		case "tcp", "udp":
			host, port = "127.0.0.1", strconv.Itoa(nstest.FreePort(t))
			address = net.JoinHostPort(host, port)
			args = []any{host, port}
		default:
			args = []any{address}
		}
		var closers []io.Closer
		away := func() {
			for _, c := range closers {
				nstest.Close(c)
			}
			closers = nil
			if network == "unixgram" {
				os.Remove(address)
			}
		}
		open := func() {
			if network == "udp" || network == "unixgram" {
				c, err := nstest.ListenPacket(t, network, address), error(nil)
				closers = append(closers, c)
				go func() {
					for buf := make([]byte, 1<<16); err == nil; {
						_, _, err = c.ReadFrom(buf)
					}
				}()
				return
			}
			all := &accepted{Listener: nstest.Listen(t, network, address)}
			closers = append(closers, all)
			go all.serve()
		}
		open()
		t.Cleanup(away)
		return other{args, away, open}
	}
}

// accepted is a listener that is closed with the connections that it took.
type accepted struct {
	net.Listener
	mu     sync.Mutex
	conns  []net.Conn
	closed bool
}

func (a *accepted) serve() {
	for {
		c, err := a.Accept()
		if err != nil {
			return
		}
		a.mu.Lock()
		if a.conns = append(a.conns, c); a.closed {
			c.Close()
		}
		a.mu.Unlock()
		go io.Copy(io.Discard, c)
	}
}

// Close implements io.Closer.
func (a *accepted) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	for _, c := range a.conns {
		c.Close()
	}
	return a.Listener.Close()
}
