package graphite

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"ulogd/test/stacktest"
)

// counters makes the records whose lines are given, in pairs.
func counters(t testing.TB) (text string, recs []stacktest.Record) {
	t.Helper()
	data, err := os.ReadFile("testdata/lines-2.0.8.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		pkts, octets := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		name := strings.TrimSuffix(strings.TrimPrefix(pkts[0], "netfilter.nfacct."), ".pkts")
		recs = append(recs, stacktest.Record{{Name: "sum.name", Value: name}, {Name: "sum.pkts", Value: pkts[1]}, {Name: "sum.bytes", Value: octets[1]}, {Name: "oob.time", Value: pkts[2] + "000000000"}})
	}
	return string(data), recs
}

// send returns what a TCP server gets.
func send(t *testing.T, prefix string, clock int64, recs ...stacktest.Record) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host, port, _ := net.SplitHostPort(l.Addr().String())
	options := map[string]string{"host": host, "port": port, "prefix": prefix}
	st := stacktest.Setup{Input: "NFACCT", Output: "GRAPHITE", Options: options, Shape: recs, Clock: clock}.Start(t)
	st.Send(recs...)
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	st.End()
	text, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestLinesOfULOGD2(t *testing.T) {
	want, recs := counters(t)
	stacktest.SameLines(t, send(t, "netfilter.nfacct", 0, recs...), want)
}

func TestWithoutTime(t *testing.T) {
	_, recs := counters(t)
	for _, rec := range []stacktest.Record{recs[0].Without("oob.time"), recs[0].With("oob.time", "0")} {
		stacktest.SameLines(t, send(t, "p", 42e9, rec), "p.http.pkts 4 42\np.http.bytes 232 42\n")
	}
}

// A name cannot forge a line, and a long prefix is sent whole: ulogd2 sent memory behind its buffer
// instead.
func TestHostileNames(t *testing.T) {
	_, recs := counters(t)
	stacktest.SameLines(t, send(t, "p", 0, recs[0].With("sum.name", "a b\nforged 1 2\n")), "p.a_b_forged_1_2_.pkts 4 1795227993\np.a_b_forged_1_2_.bytes 232 1795227993\n")
	long := strings.Repeat("p", 1000)
	stacktest.SameLines(t, send(t, long, 0, recs[0]), long+".http.pkts 4 1795227993\n"+long+".http.bytes 232 1795227993\n")
}

func TestRefusals(t *testing.T) {
	_, recs := counters(t)
	for option, options := range map[string]map[string]string{"host": {"port": "2003"}, "port": {"host": "localhost"}} {
		if got := (stacktest.Setup{Output: "GRAPHITE", Options: options, Shape: recs}).Refusal(t); !strings.HasPrefix(got, option+": ") {
			t.Errorf("without %s: %q", option, got)
		}
	}
}

func BenchmarkGRAPHITE(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	_, recs := counters(b)
	host, port, _ := net.SplitHostPort(l.Addr().String())
	stacktest.Setup{Input: "NFACCT", Output: "GRAPHITE", Options: map[string]string{"host": host, "port": port}, Shape: recs}.Bench(b)
}
