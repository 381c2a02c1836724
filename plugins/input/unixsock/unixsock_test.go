package unixsock

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ulogd/engine"
	"ulogd/test/stacktest"
)

// messages reads those that were captured from a client of ulogd2.
func messages(t testing.TB) (all [][]byte) {
	t.Helper()
	text, err := os.ReadFile("testdata/messages.hex")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(text), "# message")[1:] {
		var b []byte
		for _, line := range strings.Split(part, "\n")[1:] {
			_, octets, _ := strings.Cut(line, "  ")
			v, err := hex.DecodeString(strings.ReplaceAll(octets, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			b = append(b, v...)
		}
		all = append(all, b)
	}
	return all
}

// start runs a daemon and returns the path of its socket.
func start(t *testing.T, settings string) (*stacktest.Daemon, string) {
	path := filepath.Join(t.TempDir(), "sock")
	return stacktest.Start(t, config(t, path, settings)), path
}

func config(t *testing.T, path, settings string) string {
	return fmt.Sprintf(`stack = ["in:UNIXSOCK,o:RECORD"]
[in]
socket_path = %q
%s
[o]
name = %q
`, path, settings, t.Name())
}

func dial(t *testing.T, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

var want = []string{
	"raw.pkt=450000280001000040066", "raw.pkt=60000000000911", "raw.pkt=4500002800010000",
}

// TestMessagesInPieces: a stream has no borders.
func TestMessagesInPieces(t *testing.T) {
	for _, size := range []int{1, 7, 64, 1000, 1 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			d, path := start(t, "")
			c := dial(t, path)
			var all []byte
			for _, m := range messages(t) {
				all = append(all, m...)
			}
			for len(all) > 0 {
				n := min(size, len(all))
				if _, err := c.Write(all[:n]); err != nil {
					t.Fatal(err)
				}
				all = all[n:]
			}
			d.Stop()
			got := stacktest.Recorded(t.Name())
			if len(got) != 3 {
				t.Fatalf("%d records: %s", len(got), got)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], want[i]) {
					t.Errorf("record %d is %s", i, got[i])
				}
			}
			for _, s := range []string{" oob.prefix=nufw prefix oob.time.sec=1700000000 oob.in=eth0 oob.out=eth1 oob.family=2 oob.protocol=0 raw.label=1 nufw.user.name=alice nufw.user.id=1000 nufw.os.name=Linux nufw.os.rel=6.1 nufw.os.vers=#1 SMP nufw.app.name=/usr/bin/curl"} {
				if !strings.HasSuffix(got[0], s) {
					t.Errorf("the first record ends otherwise: %s", got[0])
				}
			}
			if n := d.Count("in", "unknown_options"); n != 1 {
				t.Errorf("%d unknown options, there was 1", n)
			}
		})
	}
}

// TestWrongMessagesEndTheirClient, and no other.
func TestWrongMessagesEndTheirClient(t *testing.T) {
	d, path := start(t, "")
	good := messages(t)[0]
	spoil := func(at int, with ...byte) []byte {
		b := append([]byte(nil), good...)
		copy(b[at:], with)
		return b
	}
	wrong := [][]byte{
		spoil(0, 0),           // marker
		spoil(4, 0, 7),        // shorter than its header
		spoil(10, 0xff, 0xff), // packet beyond the message
		spoil(10, 0, 0),       // no packet
		spoil(12, 0x15),       // no IP
		spoil(56, 0, 1, 0, 0), // option beyond the message
		spoil(4, 0, 0x37),     // a message that ends within an option's header
	}
	for i, m := range wrong {
		c := dial(t, path)
		if _, err := c.Write(append(append([]byte(nil), good...), m...)); err != nil {
			t.Fatal(err)
		}
		d.Eventually("the client is disconnected", func() bool {
			_, err := c.Read(make([]byte, 1))
			return err != nil
		})
		d.Eventually("it is counted", func() bool { return d.Count("in", "malformed") == int64(i+1) })
	}
	d.Stop()
	if got := stacktest.Recorded(t.Name()); len(got) != len(wrong) {
		t.Errorf("%d records of %d good messages", len(got), len(wrong))
	}
	// A client that comes again and again cannot fill the log: the first is named, of the others it
	// has the number.
	if n := strings.Count(d.Log.String(), "wrong message"); n != 2 || !d.Log.Has(fmt.Sprintf("held_back=%d", len(wrong)-1)) {
		t.Errorf("%d lines about %d clients: %s", n, len(wrong), d.Log)
	}
}

func TestSecondClientIsTurnedAway(t *testing.T) {
	d, path := start(t, "")
	first := dial(t, path)
	d.Eventually("the first is in", func() bool { return d.Count("in", "clients") == 1 })
	second := dial(t, path)
	if _, err := second.Read(make([]byte, 1)); err == nil {
		t.Error("the second client is served")
	}
	first.Write(messages(t)[2])
	first.Close()
	d.Eventually("the first is out", func() bool { return d.Stats("in").Made == 1 })
	dial(t, path).Write(messages(t)[2])
	d.Eventually("a client after it is served", func() bool { return d.Stats("in").Made == 2 })
	if n := d.Count("in", "clients_refused"); n != 1 {
		t.Errorf("%d clients counted as turned away", n)
	}
}

// Whoever connects again and again is turned away, and keeps nobody's packets from being read.
func TestFloodOfClients(t *testing.T) {
	d, path := start(t, "")
	first := dial(t, path)
	d.Eventually("the first is in", func() bool { return d.Count("in", "clients") == 1 })
	stop := make(chan struct{})
	var flood sync.WaitGroup
	for range 4 {
		flood.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if c, err := net.Dial("unix", path); err == nil {
						c.Close()
					}
				}
			}
		})
	}
	d.Eventually("many are turned away", func() bool { return d.Count("in", "clients_refused") > 1000 })
	for n := range int64(5) {
		first.Write(messages(t)[2])
		d.Eventually("a message is read", func() bool { return d.Stats("in").Made == n+1 })
	}
	close(stop)
	flood.Wait()
}

func TestSocketFile(t *testing.T) {
	d, path := start(t, "perms = 0o640\nowner = \"0\"\ngroup = \"0\"")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	err = stacktest.Plan(t, "test.toml", config(t, path, ""), &stacktest.Log{}).Machine.Open()
	if err == nil || !strings.Contains(err.Error(), path+": another program answers on it") {
		t.Errorf("a second daemon at the same socket: %v", err)
	}
	d.Stop()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is left over: %v", err)
	}
	// One that a killed daemon left is replaced.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	stacktest.Start(t, config(t, path, ""))
	dial(t, path)
}

// A socket that somebody removes is made again: when its client has gone, if it has one.
func TestSocketThatIsRemoved(t *testing.T) {
	d, path := start(t, "")
	first := dial(t, path)
	d.Eventually("the first is in", func() bool { return d.Count("in", "clients") == 1 })
	for n := range int64(2) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		first.Write(messages(t)[2]) // who is connected is served on
		d.Eventually("the message is read", func() bool { return d.Stats("in").Made == n+1 })
		first.Close()
		d.Eventually("a new socket", func() bool {
			c, err := net.Dial("unix", path)
			first = c
			return err == nil
		})
	}
	first.Close()
	if !d.Log.Has("the socket " + path + " was removed") {
		t.Errorf("the log does not say so:\n%s", d.Log)
	}
}

// FuzzStream wants that whatever a client sends is decoded within its octets or refused.
func FuzzStream(f *testing.F) {
	for _, m := range messages(f) {
		f.Add(m)
		f.Add(append(m[:len(m):len(m)], m...))
	}
	f.Add(binary.BigEndian.AppendUint32(nil, marker))
	f.Fuzz(func(t *testing.T, b []byte) {
		u := unixsock{unknown: &engine.Counter{}, columns: columns{texts: []text{{option: optPrefix}, {option: optIn}}}}
		a := arrays{
			texts: [8]*[256]engine.String{new([256]engine.String), new([256]engine.String)},
			pkt:   new([256]engine.Raw), pktLen: new([256]uint32), pktCount: new([256]uint32), family: new([256]uint8), label: new([256]uint8),
			protocol: new([256]uint16), sec: new([256]uint32), userID: new([256]uint32), time: new([256]engine.Time), have: new([256]uint64),
		}
		u.stream.block = &engine.Block{Data: b}
		for start := 0; start < len(b); {
			size, err := messageSize(b[start:])
			if err != nil || size == 0 {
				return
			}
			if u.message(&a, 0, start, size) != nil {
				return
			}
			if end := int(a.pkt[0].Off + a.pkt[0].Len); end > start+size {
				t.Fatalf("a packet ends at %d, its message at %d", end, start+size)
			}
			for _, column := range a.texts[:2] {
				if end := int(column[0].Off + column[0].Len); end > start+size {
					t.Fatalf("a text ends at %d, its message at %d", end, start+size)
				}
			}
			start += size
		}
	})
}
