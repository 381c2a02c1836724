// Readers that do not keep up: with when_full = "block" nothing is lost, with "drop" the rest of
// the daemon goes on and every record that was left out is counted.

package outputs

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	_ "ulogd/plugins"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// count is how many records an output gets: their octets are a multiple of what pipes and sockets
// hold.
const count = 100_000

// A way is how an output reaches its reader.
type way struct {
	name    string
	stack   string // what stands in front of the output
	input   string // options of the input
	options string // of the output; %s stands for the FIFO, the socket, or %[1]s and %[2]s for host and port
	reader  func(t *testing.T, dir string) (args []any, open func(t *testing.T) io.ReadCloser)
	records func(t *testing.T, data []byte) int // how many records the reader got; nil: their number cannot be seen in the octets alone
}

const (
	flows   = "in:GEN"
	packets = `mode = "packets"`
)

// ways has every output of the daemon: one that is missing here fails the test.
var ways = map[string][]way{
	"GPRINT": {{stack: flows, options: `file = "%s"`, reader: fifo, records: lines}, {name: "stdout", stack: flows, options: `file = "/dev/stdout"`, reader: stdout, records: lines}},
	"OPRINT": {{stack: flows, options: `file = "%s"`, reader: fifo, records: pieces("===>PACKET BOUNDARY\n")}},
	"PRINT":  {{stack: flows, options: `file = "%s"`, reader: fifo, records: lines}},
	"JSON": {
		{stack: flows, options: `file = "%s"`, reader: fifo, records: lines},
		{name: "tcp", stack: flows, options: "mode = \"tcp\"\nhost = \"%s\"\nport = \"%s\"", reader: tcp, records: lines},
		{name: "unix", stack: flows, options: "mode = \"unix\"\nfile = \"%s\"", reader: stream, records: lines},
	},
	"LOGEMU": {{stack: flows + ",s:IP2STR,p:PRINTFLOW", options: `file = "%s"`, reader: fifo, records: lines}},
	"NACCT":  {{stack: flows + ",s:IP2STR", options: `file = "%s"`, reader: fifo, records: lines}},
	"PCAP": {
		{stack: flows, input: packets, options: `file = "%s"`, reader: fifo, records: frames},
		{name: "pcapng", stack: flows, input: packets, options: "format = \"pcapng\"\nfile = \"%s\"", reader: fifo, records: blocks},
	},
	"XML": {{stack: flows, options: `stdout = true`, reader: stdout, records: pieces("</flow>\n")}},
	"SYSLOG": {
		{stack: flows + ",s:IP2STR,p:PRINTFLOW", options: `socket = "%s"`, reader: datagrams, records: lines},
		{name: "tcp", stack: flows + ",s:IP2STR,p:PRINTFLOW", options: "transport = \"tcp\"\nhost = \"%s\"\nport = \"%s\"", reader: tcp, records: pieces(" - - ")},
	},
	"GRAPHITE": {{stack: "in:ROWS", input: `feed = "counters"`, options: "prefix = \"p\"\nhost = \"%s\"\nport = \"%s\"", reader: tcp, records: pieces("p.counter.bytes 84 1\n")}},
	"IPFIX":    {{stack: flows, options: "proto = \"tcp\"\nbuffer = \"256KiB\"\nhost = \"%s\"\nport = %s", reader: tcp}},
	"NETFLOW5": nil, // over UDP nobody is waited for
	"NETFLOW9": nil,
	"NULL":     nil, // has no reader
	"RECORD":   nil, // is the tests' own

	// How stores are waited for is the store package's, and tested there.
	"CLICKHOUSE": nil,
	"KAFKA":      nil,
	"MYSQL":      nil,
	"PARQUET":    nil,
	"PGSQL":      nil,
	"SQLITE3":    nil,
}

func init() {
	row := map[string]string{"sum.name": "counter", "sum.pkts": "1", "sum.bytes": "84", "oob.time": "1000000000"}
	batch := make([]map[string]string, engine.BatchSize/2)
	for i := range batch {
		batch[i] = row
	}
	for n := count; n > 0; n -= len(batch) {
		stacktest.Feed("counters", batch[:min(n, len(batch))]...)
	}
}

func TestSlowReader(t *testing.T) {
	every(t, ways, "behind a slow reader: add how it reaches one", func(output string, list []way) {
		for _, w := range list {
			for _, full := range []string{"block", "drop"} {
				t.Run(output+w.name+"/"+full, func(t *testing.T) { w.try(t, output, full) })
			}
		}
	})
}

func (w *way) try(t *testing.T, output, full string) {
	args, open := w.reader(t, t.TempDir())
	options := w.options
	if strings.Contains(options, "%s") {
		options = fmt.Sprintf(options, args...)
	}
	input := w.input
	if strings.Contains(w.stack, "GEN") {
		input += fmt.Sprintf("\ncount = %d", count)
	}
	d := stacktest.Start(t, fmt.Sprintf(`
		stack = "%s,out:%s"
		[in]
		%s
		[out]
		queue = 512
		when_full = "%s"
		%s
	`, w.stack, output, input, full, options))
	if full == "block" {
		d.Eventually("the queue is full", func() bool { return d.Stats("out").Held >= 256 && d.Stats("out").In < count })
	} else {
		d.Eventually("the input ended", func() bool { return d.Stats("out").In == count })
	}
	r := open(t)
	got := make(chan []byte)
	go func() {
		data, _ := io.ReadAll(r)
		got <- data
	}()
	d.Wait()
	r.Close()
	data := bytes.TrimSuffix(<-got, []byte(theEnd))
	s := d.Stats("out")
	all := count + s.Made // IPFIX makes a record for each direction
	switch {
	case s.In != count:
		t.Errorf("%d of %d records came in", s.In, count)
	case full == "block" && (s.Dropped != 0 || s.Out != all):
		t.Errorf("blocking: %d of %d records went out, %d were dropped: %+v", s.Out, all, s.Dropped, s)
	case full == "drop" && (s.Dropped == 0 || s.Out+s.Dropped != all):
		t.Errorf("dropping: %d went out and %d were dropped, of %d: %+v", s.Out, s.Dropped, all, s)
	}
	if w.records == nil {
		return
	}
	if n := w.records(t, data); int64(n) != s.Out {
		t.Errorf("the reader got %d records in %d octets, %d are counted as written", n, len(data), s.Out)
	}
}

// fifo is a named pipe whose reader has it open from the start, and reads later.
func fifo(t *testing.T, dir string) ([]any, func(*testing.T) io.ReadCloser) {
	path := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := os.OpenFile(path, os.O_RDWR, 0) // both, so that neither opening nor reading ends
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return []any{path}, func(*testing.T) io.ReadCloser { return &drained{&ending{Reader: r}, path} }
}

// drained is a pipe that ends, when it is closed, with what is in it.
type drained struct {
	io.Reader
	path string
}

func (d *drained) Close() error {
	w, err := os.OpenFile(d.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer w.Close()
	_, err = io.WriteString(w, theEnd)
	return err
}

const theEnd = "\x00the end of the pipe\x00"

// ending reads up to theEnd, which it leaves for its reader to cut off: it may come in two reads.
type ending struct {
	io.Reader
	tail []byte
}

func (e *ending) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	e.tail = append(e.tail, p[:n]...)
	e.tail = e.tail[max(0, len(e.tail)-len(theEnd)):]
	if string(e.tail) == theEnd {
		return n, io.EOF
	}
	return n, err
}

// stdout is the standard output of the test's process, which is a pipe meanwhile.
func stdout(t *testing.T, _ string) ([]any, func(*testing.T) io.ReadCloser) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	before, err := unix.Dup(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Dup3(int(w.Fd()), 1, 0); err != nil {
		t.Fatal(err)
	}
	w.Close()
	restore := func() { unix.Dup3(before, 1, 0) }
	t.Cleanup(func() { restore(); unix.Close(before) })
	return nil, func(*testing.T) io.ReadCloser { return &restored{r, restore} }
}

// restored is a pipe whose other end is closed when it is closed, so that it can be read to its
// end.
type restored struct {
	*os.File
	restore func()
}

func (r *restored) Close() error {
	r.restore()
	return nil
}

func listen(t *testing.T, network, address string) func(*testing.T) io.ReadCloser {
	narrow := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096) })
	}}
	l, err := narrow.Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return func(t *testing.T) io.ReadCloser {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return &left{c, l}
	}
}

// left is a connection that the daemon closes; closing it here only ends the wait for others.
type left struct {
	net.Conn
	net.Listener
}

func (l *left) Close() error { return l.Listener.Close() }

func tcp(t *testing.T, _ string) ([]any, func(*testing.T) io.ReadCloser) {
	const host = "127.0.0.1"
	port := strconv.Itoa(nstest.FreePort(t))
	return []any{host, port}, listen(t, "tcp", net.JoinHostPort(host, port))
}

func stream(t *testing.T, dir string) ([]any, func(*testing.T) io.ReadCloser) {
	path := filepath.Join(dir, "socket")
	return []any{path}, listen(t, "unix", path)
}

// datagrams is a local log: each datagram is a line.
func datagrams(t *testing.T, dir string) ([]any, func(*testing.T) io.ReadCloser) {
	path := filepath.Join(dir, "log")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return []any{path}, func(*testing.T) io.ReadCloser {
		return &mailbox{c, bufio.NewReaderSize(&ending{Reader: c}, 64<<10), path}
	}
}

// mailbox is a datagram socket that ends, when it is closed, with what is in it. Each read has room
// for a whole datagram.
type mailbox struct {
	*net.UnixConn
	in   io.Reader
	path string
}

func (m *mailbox) Read(p []byte) (int, error) { return m.in.Read(p) }

func (m *mailbox) Close() error {
	c, err := net.Dial("unixgram", m.path)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = io.WriteString(c, theEnd)
	return err
}

func lines(t *testing.T, data []byte) int {
	if len(data) > 0 && data[len(data)-1] != '\n' {
		t.Errorf("the reader's octets end with half a line: %q", data[max(0, len(data)-100):])
	}
	return bytes.Count(data, []byte{'\n'})
}

// pieces counts a piece of text that each record has once.
func pieces(text string) func(*testing.T, []byte) int {
	return func(_ *testing.T, data []byte) int { return bytes.Count(data, []byte(text)) }
}

// frames counts the packets of a capture file.
func frames(t *testing.T, data []byte) (n int) {
	for at := 24; at < len(data); n++ {
		if at+16 > len(data) {
			t.Errorf("the file ends in a packet's header")
			break
		}
		at += 16 + int(binary.NativeEndian.Uint32(data[at+8:]))
	}
	return n
}

// blocks counts the packets of a pcapng file.
func blocks(t *testing.T, data []byte) (n int) {
	for at := 0; at+8 <= len(data); {
		if binary.NativeEndian.Uint32(data[at:]) == 6 {
			n++
		}
		size := int(binary.NativeEndian.Uint32(data[at+4:]))
		if size < 12 {
			t.Fatalf("a block of %d octets at %d", size, at)
		}
		at += size
	}
	return n
}
