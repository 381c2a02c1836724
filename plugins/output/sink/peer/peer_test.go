package peer

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/output/sink"
	"ulogd/test/stacktest"
)

func init() {
	engine.Register(engine.Plugin{Name: "PEER", Output: func() engine.Output { return &output{} }})
}

// output sends the key print, as text outputs do.
type output struct {
	sink.Sink
	*sink.Writer
	peer  Peer
	print engine.Col[engine.String]
}

func (o *output) Options(opts *engine.Options) {
	opts.String(&o.peer.Network, "network", "", "")
	opts.String(&o.peer.Address, "address", "", "")
}

func (o *output) Bind(p *engine.Binder) engine.Stage {
	o.Writer = o.Sink.Bind(p, &o.peer)
	o.print = engine.Need(p, key.Print)
	return o
}

func (o *output) Consume(b *engine.Batch) {
	buf, text := o.Begin(), o.print.Of(b)
	for _, r := range b.Rows() {
		buf = o.End(append(buf, b.Bytes(engine.Span(text[r]))...))
	}
	o.Commit(buf)
}

func record(format string, args ...any) stacktest.Record {
	return stacktest.Record{{Name: "print", Value: fmt.Sprintf(format, args...)}}
}

func start(t *testing.T, network, address string, more ...string) *stacktest.Fixture {
	t.Helper()
	options := map[string]string{"network": network, "address": address}
	for i := 0; i+1 < len(more); i += 2 {
		options[more[i]] = more[i+1]
	}
	return stacktest.Setup{Output: "PEER", Options: options, Shape: []stacktest.Record{record("")}}.Start(t)
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func accept(t *testing.T, l net.Listener) (net.Conn, *bufio.Reader) {
	t.Helper()
	l.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Now().Add(20 * time.Second))
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	return c, bufio.NewReader(c)
}

func wantLine(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	if got, err := r.ReadString('\n'); got != want {
		t.Fatalf("the peer got %q, %v; want %q", got, err, want)
	}
}

// TestPeerComesLate starts without a peer; what was sent waits for it.
func TestPeerComesLate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peer")
	st := start(t, "unix", path)
	st.Send(record("early\n"))
	st.Eventually("a complaint", func() bool { return strings.Contains(st.Log.String(), "cannot connect") })
	l := listen(t, "unix", path)
	_, r := accept(t, l)
	wantLine(t, r, "early\n")
	st.End()
}

// TestReconnect closes the connection and wants the next record on a new one.
func TestReconnect(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	st := start(t, "tcp", l.Addr().String())
	for i := range 3 {
		c, r := accept(t, l)
		st.Send(record("record %d\n", i))
		wantLine(t, r, fmt.Sprintf("record %d\n", i))
		if i == 1 {
			st.Machine.Signal(engine.Reopen) // the operator asks for a new connection
			if _, err := r.ReadByte(); err != io.EOF {
				t.Errorf("after the signal: %v, want EOF", err)
			}
		}
		c.Close()
	}
	accept(t, l)
	st.End()
	if s := st.Stats(); s.Out != 3 || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
}

// TestNoHalfRecord breaks the connection in the middle of a record: the next one begins with a
// whole record.
func TestNoHalfRecord(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	st := start(t, "tcp", l.Addr().String())
	c, _ := accept(t, l)
	c.(*net.TCPConn).SetReadBuffer(4096)
	long := strings.Repeat("x", 60000)
	for i := range 200 { // far more than the sockets' buffers hold
		st.Send(record("%04d %s\n", i, long))
	}
	io.ReadFull(c, make([]byte, 100000))
	c.Close()
	_, r := accept(t, l)
	last := -1
	for last < 199 {
		line, err := r.ReadString('\n')
		var i int
		if _, scan := fmt.Sscanf(line, "%04d ", &i); err != nil || scan != nil || len(line) != 60006 || i <= last {
			t.Fatalf("after record %d there is %.20q of %d octets, %v", last, line, len(line), err)
		}
		last = i
	}
	st.End()
	if s := st.Stats(); s.Out != 200 {
		t.Errorf("%+v", s)
	}
}

// TestNoQueue has no queue, and an input that is not to wait: what comes while there is no peer is
// dropped and counted.
func TestNoQueue(t *testing.T) {
	st := start(t, "unix", filepath.Join(t.TempDir(), "peer"), "queue", "0", "when_full", "drop")
	st.Send(record("lost\n"), record("lost\n"))
	st.End()
	if s := st.Stats(); s.Dropped != 2 {
		t.Errorf("%+v", s)
	}
}

// TestStopWithoutPeer wants the end within the shutdown timeout, with everything counted.
func TestStopWithoutPeer(t *testing.T) {
	st := start(t, "unix", filepath.Join(t.TempDir(), "peer"))
	st.Send(record("lost\n"), record("lost\n"))
	st.Eventually("the record is taken", func() bool { return st.Stats().In == 2 })
	st.Machine.Stop(200 * time.Millisecond)
	st.End()
	if s := st.Stats(); s.Dropped != 2 {
		t.Errorf("%+v", s)
	}
}

// TestStuckPeer stops while the peer does not read.
func TestStuckPeer(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	st := start(t, "tcp", l.Addr().String())
	c, _ := accept(t, l)
	c.(*net.TCPConn).SetReadBuffer(4096)
	long := strings.Repeat("x", 60000)
	for range 200 {
		st.Send(record("%s\n", long))
	}
	st.Eventually("all are taken", func() bool { return st.Stats().In == 200 })
	st.Machine.Stop(300 * time.Millisecond)
	st.End()
	if s := st.Stats(); s.Out+s.Dropped != 200 || s.Dropped == 0 {
		t.Errorf("%+v", s)
	}
}

func TestUDP(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	st := start(t, "udp", c.LocalAddr().String())
	st.Send(record("one\n"), record("two\n"), record("%s", strings.Repeat("x", 70000)), record("three\n"))
	buf := make([]byte, 100)
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	for _, want := range []string{"one\n", "two\n", "three\n"} {
		if n, _, err := c.ReadFrom(buf); string(buf[:n]) != want {
			t.Fatalf("got %q, %v; want %q", buf[:n], err, want)
		}
	}
	c.Close()
	for range 50 { // nobody listens: errors come back, and count
		st.Send(record("lost\n"))
	}
	st.End()
	s := st.Stats()
	if s.Out+s.Dropped != 54 || s.Dropped < 2 {
		t.Errorf("%+v", s)
	}
}

// TestDatagramSocketComesBack restarts the receiver, as a syslog daemon is restarted.
func TestDatagramSocketComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	receive := func() *net.UnixConn {
		c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		return c
	}
	wantDatagram := func(c *net.UnixConn, want string) {
		t.Helper()
		buf := make([]byte, 100)
		if n, err := c.Read(buf); string(buf[:n]) != want {
			t.Fatalf("got %q, %v; want %q", buf[:n], err, want)
		}
	}
	c := receive()
	st := start(t, "unixgram,unix", path)
	st.Send(record("one"))
	wantDatagram(c, "one")
	c.Close()
	os.Remove(path)
	st.Send(record("two"))
	c = receive()
	defer c.Close()
	wantDatagram(c, "two")
	st.End()
	if s := st.Stats(); s.Out != 2 {
		t.Errorf("%+v", s)
	}
}
