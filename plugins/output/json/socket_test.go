package json

import (
	"bufio"
	"net"
	"path/filepath"
	"testing"
	"time"

	"ulogd/test/stacktest"
)

const object = `{"dvc": "Netfilter", "oob.mark": 42}` + "\n"

var mark = stacktest.Record{{Name: "oob.mark", Value: "42"}}

// TestSockets wants the line of the file from each kind of socket.
func TestSockets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "json.sock")
	for _, c := range []struct{ mode, network, address string }{
		{"tcp", "tcp", "127.0.0.1:0"}, {"TCP", "tcp", "[::1]:0"}, {"unix", "unix", path},
	} {
		l, err := net.Listen(c.network, c.address)
		if err != nil {
			t.Fatal(err)
		}
		options := map[string]string{"mode": c.mode, "file": path, "timestamp": "0"}
		if c.network == "tcp" {
			options["host"], options["port"], _ = net.SplitHostPort(l.Addr().String())
		}
		st := stacktest.Setup{Output: "JSON", Options: options, Shape: []stacktest.Record{mark}}.Start(t)
		st.Send(mark, mark)
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		r := bufio.NewReader(conn)
		for range 2 {
			if line, err := r.ReadString('\n'); line != object {
				t.Errorf("%s: got %q, %v", c.mode, line, err)
			}
		}
		st.End()
		conn.Close()
		l.Close()
	}
}

func TestUDPDatagrams(t *testing.T) {
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host, port, _ := net.SplitHostPort(l.LocalAddr().String())
	options := map[string]string{"mode": "udp", "host": host, "port": port, "timestamp": "0"}
	stacktest.Setup{Output: "JSON", Options: options, Shape: []stacktest.Record{mark, mark}}.Run(t)
	l.SetReadDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, 1000)
	for range 2 {
		if n, _, err := l.ReadFrom(buf); string(buf[:n]) != object {
			t.Errorf("got %q, %v", buf[:n], err)
		}
	}
}
