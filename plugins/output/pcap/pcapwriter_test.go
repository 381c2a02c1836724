package pcap

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/engine/zone"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// packets returns a file of ulogd2 2.0.8, which was made on a little-endian machine, and the
// records it was made of.
func packets(t testing.TB) (file []byte, recs []stacktest.Record) {
	t.Helper()
	if order.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the file is in little-endian order")
	}
	file, err := os.ReadFile("testdata/packets-2.0.8.pcap")
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile("testdata/packets-2.0.8.log")
	if err != nil {
		t.Fatal(err)
	}
	recs = stacktest.Parse(string(log))
	for i, at := 0, fileHeaderLen; i < len(recs); i++ {
		n := int(order.Uint32(file[at+8:]))
		packet := hex.EncodeToString(file[at+16 : at+16+n])
		recs[i] = append(stacktest.Record{{Name: "raw.pkt", Value: packet}}, recs[i]...)
		at += 16 + n
	}
	return file, recs
}

func write(t *testing.T, options map[string]string, recs ...stacktest.Record) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.pcap")
	set := map[string]string{"file": path}
	for k, v := range options {
		set[k] = v
	}
	stacktest.Setup{Output: "PCAP", Options: set, Shape: recs}.Run(t)
	return path
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// tshark returns fields of each packet, and fails the test if the file is not in order.
func tshark(t *testing.T, path string, fields ...string) string {
	t.Helper()
	nstest.Need(t, "tool:tshark")
	args := []string{"-n", "-r", path, "-T", "fields", "-E", "separator=/s"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.Command("tshark", args...)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("tshark: %v\n%s", err, &errs)
	}
	if text := errs.String(); strings.Contains(text, "cut short") || strings.Contains(text, "damaged") {
		t.Errorf("tshark says %s", text)
	}
	return out.String()
}

func TestFileOfULOGD2(t *testing.T) {
	old := time.Local
	time.Local = time.UTC
	defer func() { time.Local = old }()
	want, recs := packets(t)
	if got := read(t, write(t, map[string]string{"compat": "ulogd2"}, recs...)); !bytes.Equal(got, want) {
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("octet %d is %#x, want %#x", i, got[i], want[i])
			}
		}
		t.Fatalf("%d octets, want %d", len(got), len(want))
	}
}

// TestLengths wants that no packet is shorter on the wire than in the file, where ulogd2's file has
// 0 for some.
func TestLengths(t *testing.T) {
	_, recs := packets(t)
	path := write(t, nil, recs...)
	n := 0
	for line := range strings.Lines(tshark(t, path, "frame.len", "frame.cap_len", "frame.time_epoch")) {
		var wire, captured int
		var epoch string
		if _, err := fmt.Sscan(line, &wire, &captured, &epoch); err != nil || wire < captured {
			t.Errorf("packet %d: %q, %v", n, line, err)
		}
		at := recs[n].Get("oob.time")
		if want := at[:10] + "." + at[10:16] + "000"; epoch != want {
			t.Errorf("packet %d is of %s, want %s", n, epoch, want)
		}
		n++
	}
	if n != len(recs) {
		t.Errorf("%d packets, want %d", n, len(recs))
	}
}

// short is a packet of 60 octets, of which 20 were captured.
var short = stacktest.Record{
	{Name: "raw.pkt", Value: "4500003c12340000401153f10a4d00020a4d0001"},
	{Name: "oob.time", Value: "1795226048651231987"},
	{Name: "oob.ifindex_in", Value: "2"},
	{Name: "oob.family", Value: "2"},
	{Name: "oob.protocol", Value: "2048"},
	{Name: "ip.totlen", Value: "60"},
	{Name: "oob.in", Value: "eth0"},
}

func TestShortPacket(t *testing.T) {
	for _, format := range []string{"pcap", "pcapng"} {
		path := write(t, map[string]string{"format": format}, short, short.Without("ip.totlen"))
		if got, want := tshark(t, path, "frame.len", "frame.cap_len"), "60 20\n20 20\n"; got != want {
			t.Errorf("%s: %q, want %q", format, got, want)
		}
	}
}

func TestTimeZone(t *testing.T) {
	t.Setenv("TZ", "<+03>-3")
	if err := zone.Reload(); err != nil {
		t.Fatal(err)
	}
	if field := order.Uint32(read(t, write(t, nil, short))[8:]); field != 0 {
		t.Errorf("time zone %d, want 0", field)
	}
	field := order.Uint32(read(t, write(t, map[string]string{"compat": "ulogd2"}, short))[8:])
	if int32(field) != -3*3600 {
		t.Errorf("with compat: time zone %d, want %d", int32(field), -3*3600)
	}
}

// frame is an ARP request as the bridge family gives it.
var frame = stacktest.Record{
	{Name: "raw.mac", Value: "ffffffffffff0200000000020806"},
	{Name: "raw.pkt", Value: "00010800060400010200000000020a4d01020000000000000a4d0101"},
	{Name: "oob.time", Value: "1795226048000000001"},
	{Name: "oob.ifindex_out", Value: "7"},
	{Name: "oob.family", Value: "7"},
	{Name: "oob.protocol", Value: "2054"},
	{Name: "raw.type", Value: "1"},
	{Name: "oob.out", Value: "br0"},
}

func TestNotIP(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pcap")
	st := stacktest.Setup{Output: "PCAP", Options: map[string]string{"file": path}, Shape: []stacktest.Record{frame}}.Run(t)
	if s := st.Stats(); s.Dropped != 1 || !slices.Contains(s.Drops, engine.Reading{Name: "not_ip", Value: 1}) {
		t.Errorf("%+v", s)
	}
	if n := len(read(t, path)); n != fileHeaderLen {
		t.Errorf("the file has %d octets", n)
	}
}

func TestPcapng(t *testing.T) {
	path := write(t, map[string]string{"format": "pcapng"}, short, frame, short.With("oob.in", "wan0"), short)
	got := tshark(t, path, "frame.interface_name", "frame.time_epoch", "frame.packet_flags_direction", "frame.protocols")
	const ip = " 1795226048.651231987 0x00000001 raw:ip:"
	lines := strings.Split(got, "\n")
	for i, want := range []string{"eth0" + ip, "br0 1795226048.000000001 0x00000002 eth:ethertype:arp", "wan0" + ip, "eth0" + ip} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("packet %d is %q, want %q", i, lines[i], want)
		}
	}
}

// The prefix of the rule that logged a packet is its comment, beside its direction or alone.
func TestPrefixIsTheComment(t *testing.T) {
	prefix := func(r stacktest.Record, p string) stacktest.Record { return r.With("oob.prefix", p) }
	alone := short.Without("oob.ifindex_in").Without("oob.in").Without("oob.ifindex_out").Without("oob.out")
	path := write(t, map[string]string{"format": "pcapng"}, prefix(short, "dropped: "), prefix(alone, "Zürich"),
		prefix(short, "a\nb\xff"), short, prefix(short, ""))
	got := tshark(t, path, "frame.comment")
	if want := "dropped: \nZürich\na\\x0ab\ufffd\n\n\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestAppend runs twice into one file, with a SIGHUP that changes nothing and one after a rename.
func TestAppend(t *testing.T) {
	for _, format := range []string{"pcap", "pcapng"} {
		dir := t.TempDir()
		path := filepath.Join(dir, "x."+format)
		set := stacktest.Setup{Output: "PCAP", Options: map[string]string{"file": path, "format": format}, Shape: []stacktest.Record{short}}
		set.Run(t)
		st := set.Start(t)
		st.Send(short)
		st.Eventually("the packet is written", func() bool { return st.Stats().Out == 1 })
		st.Machine.Signal(engine.Reopen)
		st.Send(short)
		st.Eventually("the packet is written", func() bool { return st.Stats().Out == 2 })
		os.Rename(path, path+".1")
		st.Machine.Signal(engine.Reopen)
		st.Eventually("the new file", func() bool { _, err := os.Stat(path); return err == nil })
		st.Send(short)
		st.End()
		if got := strings.Count(tshark(t, path+".1", "frame.len"), "60"); got != 3 {
			t.Errorf("%s: the old file has %d packets, want 3", format, got)
		}
		if got := strings.Count(tshark(t, path, "frame.len"), "60"); got != 1 {
			t.Errorf("%s: the new file has %d packets, want 1", format, got)
		}
	}
}

func TestForeignFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pcap")
	if err := os.WriteFile(path, []byte(strings.Repeat("not a capture", 10)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"pcap", "pcapng"} {
		st := stacktest.Setup{Output: "PCAP", Options: map[string]string{"file": path, "format": format}, Shape: []stacktest.Record{short}}.Build(t)
		if err := st.Machine.Open(); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v", format, err)
		}
	}
}

func TestRotation(t *testing.T) {
	for _, format := range []string{"pcap", "pcapng"} {
		dir := t.TempDir()
		path := filepath.Join(dir, "x.pcap")
		var recs []stacktest.Record
		for i := range 100 {
			recs = append(recs, short.With("oob.time", strconv.FormatInt(1795226048_000000000+int64(i)*1000, 10)))
		}
		stacktest.Setup{Output: "PCAP", Options: map[string]string{"file": path, "format": format, "rotate_size": "1000"}, Shape: recs}.Run(t)
		all, _ := filepath.Glob(filepath.Join(dir, "x*.pcap"))
		n := 0
		for _, p := range all {
			n += strings.Count(tshark(t, p, "frame.len", "frame.interface_name"), "60 ")
			if size := len(read(t, p)); size > 1200 {
				t.Errorf("%s: %s has %d octets", format, p, size)
			}
		}
		if len(all) < 4 || n != 100 {
			t.Errorf("%s: %d packets in %d files", format, n, len(all))
		}
	}
}

// FuzzNames wants that interface names and packets of any kind leave a file that tcpdump reads to
// its end.
func FuzzNames(f *testing.F) {
	f.Add("eth0", []byte{0x45})
	f.Add("", []byte{})
	f.Add("a\x00\xff\n", bytes.Repeat([]byte{0x60}, 61))
	nstest.Need(f, "tool:tcpdump")
	f.Fuzz(func(t *testing.T, name string, packet []byte) {
		if len(packet) > snapLen || len(name) > 200 {
			t.Skip()
		}
		rec := short.With("oob.in", name).With("raw.pkt", hex.EncodeToString(packet))
		path := write(t, map[string]string{"format": "pcapng"}, rec, rec)
		out, err := exec.Command("tcpdump", "-n", "-q", "-r", path).CombinedOutput()
		if err != nil || bytes.Contains(out, []byte("bogus")) || bytes.Contains(out, []byte("truncated dump file")) {
			t.Fatalf("%v: %s", err, out)
		}
	})
}

func TestNoAllocations(t *testing.T) {
	for _, format := range []string{"pcap", "pcapng"} {
		s := stacktest.Setup{Output: "PCAP", Options: map[string]string{"file": filepath.Join(t.TempDir(), "x"), "format": format}, Shape: []stacktest.Record{short}}
		if n := s.Allocations(t); n != 0 {
			t.Errorf("%s: %v allocations per batch, want 0", format, n)
		}
	}
}

func BenchmarkPCAP(b *testing.B) {
	for _, format := range []string{"pcap", "pcapng"} {
		b.Run(format, func(b *testing.B) {
			stacktest.Setup{Output: "PCAP", Options: map[string]string{"file": os.DevNull, "format": format}, Shape: []stacktest.Record{short}}.Bench(b)
		})
	}
}
