package pcap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"ulogd/test/nstest"
	"ulogd/test/packettest"
)

// seen is a frame as a test compares it.
type seen struct {
	time    int64
	wirelen uint32
	link    uint16
	data    string
}

// blocks serve all tests that read one file at a time.
var blocks = [2][]byte{make([]byte, blockSize), make([]byte, blockSize)}

// readAll reads a capture through two alternating blocks, as an input does whose consumers hold the
// one before.
func readAll(name string, src io.Reader) ([]seen, *file, error) {
	f, err := newFile(name, src, blocks[0])
	if err != nil {
		return nil, nil, err
	}
	var all []seen
	var frames [256]frame
	for i := 1; ; i++ {
		for n := f.next(frames[:]); n > 0; n = f.next(frames[:]) {
			for _, fr := range frames[:n] {
				all = append(all, seen{fr.time, fr.wirelen, f.ports[fr.port].link, string(f.buf[fr.off : fr.off+fr.caplen])})
			}
		}
		if err := f.fill(blocks[i%2]); err != nil {
			return all, f, err
		}
	}
}

// somePackets are n packets of all sizes.
func somePackets(n int) []packettest.Packet {
	r := rand.New(rand.NewPCG(1, 2))
	packets := make([]packettest.Packet, n)
	for i := range packets {
		data := make([]byte, r.IntN(1600))
		for j := range data {
			data[j] = byte(r.Uint32())
		}
		packets[i] = packettest.Packet{
			Time: time.Unix(4_000_000_000+int64(i), int64(i)*1000), // in 2096
			Data: data, Wire: len(data) + i%3,
		}
		if len(data) == 0 {
			packets[i].Wire = 0
		}
	}
	return packets
}

func want(packets []packettest.Packet, link uint16) []seen {
	var all []seen
	for _, p := range packets {
		wire := p.Wire
		if wire == 0 {
			wire = len(p.Data)
		}
		all = append(all, seen{p.Time.UnixNano(), uint32(wire), link, string(p.Data)})
	}
	return all
}

// captures are the same packets in every form of file.
func captures(t testing.TB, packets []packettest.Packet) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, form := range []packettest.Pcap{
		{},
		{BigEndian: true},
		{Nano: true},
		{Nano: true, BigEndian: true},
		{Modified: true},
		{Modified: true, BigEndian: true},
		{Magic: 0xa12b3c4d, Nano: true},
	} {
		var b bytes.Buffer
		if err := packettest.WritePcap(&b, 1, form, packets); err != nil {
			t.Fatal(err)
		}
		files[fmt.Sprintf("classic %+v", form)] = b.Bytes()
	}
	for _, big := range []bool{false, true} {
		for _, kind := range []packettest.Kind{packettest.Enhanced, packettest.Obsolete} {
			for _, resolution := range []uint8{0, 6, 9, 10, 0x80 | 32} {
				form := packettest.PcapNG{
					BigEndian: big, Strange: true,
					Interfaces: []packettest.Interface{{Link: 1, Resolution: resolution, Offset: 3_000_000_000}},
				}
				here := slices.Clone(packets)
				for i := range here {
					here[i].Kind = kind
				}
				var b bytes.Buffer
				if err := packettest.WritePcapNG(&b, form, here); err != nil {
					t.Fatal(err)
				}
				files[fmt.Sprintf("pcapng %+v kind %d", form, kind)] = b.Bytes()
			}
		}
	}
	return files
}

// same compares frames, leaving times a nanosecond of rounding.
func same(t *testing.T, got, want []seen) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d packets, want %d", len(got), len(want))
	}
	for i := range got {
		if d := got[i].time - want[i].time; d < -1 || d > 1 {
			t.Fatalf("packet %d at %d, want %d", i, got[i].time, want[i].time)
		}
		got[i].time = want[i].time
		if got[i] != want[i] {
			t.Fatalf("packet %d: %d octets of %d, link type %d; want %d of %d, %d", i,
				len(got[i].data), got[i].wirelen, got[i].link, len(want[i].data), want[i].wirelen, want[i].link)
		}
	}
}

func TestEveryFormOfFile(t *testing.T) {
	packets := somePackets(2000) // some six blocks
	for form, content := range captures(t, packets) {
		t.Run(form, func(t *testing.T) {
			got, f, err := readAll("x", bytes.NewReader(content))
			if err != io.EOF || f.bad != 0 {
				t.Fatalf("ends with %v, %d bad", err, f.bad)
			}
			same(t, got, want(packets, 1))
		})
	}
}

func TestReadsOfAnySize(t *testing.T) {
	packets := somePackets(20)
	for form, content := range captures(t, packets) {
		for name, src := range map[string]io.Reader{
			"one octet":      iotest.OneByteReader(bytes.NewReader(content)),
			"half":           iotest.HalfReader(bytes.NewReader(content)),
			"EOF with data":  iotest.DataErrReader(bytes.NewReader(content)),
			"a larger chunk": iotest.DataErrReader(iotest.HalfReader(bytes.NewReader(content))),
		} {
			got, _, err := readAll("x", src)
			if err != io.EOF {
				t.Fatalf("%s, %s: ends with %v", form, name, err)
			}
			same(t, got, want(packets, 1))
		}
	}
}

func TestCompressedByContent(t *testing.T) {
	packets := somePackets(500)
	path := filepath.Join(t.TempDir(), "a.pcap")
	for form, content := range captures(t, packets) {
		var g, z, s bytes.Buffer
		gw := gzip.NewWriter(&g)
		gw.Write(content[:len(content)/2]) // two members, as parallel compressors make them
		gw.Close()
		gw = gzip.NewWriter(&g)
		gw.Write(content[len(content)/2:])
		gw.Close()
		zw, _ := zstd.NewWriter(&z)
		zw.Write(content)
		zw.Close()
		s.Write([]byte{0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4}) // a skippable frame first
		s.Write(z.Bytes())
		all := map[string][]byte{"gzip": g.Bytes(), "zstd": z.Bytes(), "pzstd": s.Bytes()}
		programs := []string{"xz", "bzip2", "lz4"}
		if form != fmt.Sprintf("classic %+v", packettest.Pcap{}) {
			programs = nil // they see octets alone
		}
		for _, program := range programs { // of each two streams behind each other
			nstest.Need(t, "tool:"+program)
			for _, half := range [][]byte{content[:len(content)/2], content[len(content)/2:]} {
				c := exec.Command(program, "-c")
				c.Stdin = bytes.NewReader(half)
				out, err := c.Output()
				if err != nil {
					t.Fatalf("%s: %v", program, err)
				}
				all[program] = append(all[program], out...)
			}
		}
		for name, compressed := range all {
			if err := os.WriteFile(path, compressed, 0o600); err != nil {
				t.Fatal(err)
			}
			src := unwrapped(t, path)
			got, _, err := readAll(path, src)
			if err != io.EOF {
				t.Fatalf("%s, %s: ends with %v", form, name, err)
			}
			same(t, got, want(packets, 1))
			if src.read != src.size || src.size != int64(len(compressed)) {
				t.Errorf("progress says %d of %d octets, the file has %d", src.read, src.size, len(compressed))
			}
			src.Close()

			// Half of a compressed file gives the packets that it holds, and a warning.
			if err := os.WriteFile(path, compressed[:len(compressed)/2], 0o600); err != nil {
				t.Fatal(err)
			}
			src = unwrapped(t, path)
			got, _, err = readAll(path, src)
			src.Close()
			var d *damage
			if name == "bzip2" && err != nil && strings.Contains(err.Error(), "cut off within its first compressed block") {
				continue // a block is up to 900 kB, and is read as a whole
			}
			if !errors.As(err, &d) {
				t.Fatalf("%s, half of %s: ends with %v", form, name, err)
			}
			if len(got) == 0 && name == "gzip" {
				t.Errorf("%s, half of %s: no packets before the cut", form, name)
			}
			same(t, got, want(packets, 1)[:len(got)])
		}
	}
}

func unwrapped(t *testing.T, path string) *source {
	t.Helper()
	src, err := openSource(path, os.Open)
	if err == nil {
		err = src.unwrap()
	}
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func TestFileCutAnywhere(t *testing.T) {
	packets := somePackets(3)
	for form, content := range captures(t, packets) {
		// Where each record ends: the packets that a cut behind it leaves whole.
		for cut := range content {
			got, f, err := readAll("trace.pcap", bytes.NewReader(content[:cut]))
			if f == nil {
				if cut >= classicHeader || err == nil {
					t.Fatalf("%s, cut at %d: %v", form, cut, err)
				}
				continue
			}
			same(t, got, want(packets, 1)[:len(got)])
			var end int64
			for _, p := range packets[:len(got)] {
				end += int64(len(p.Data))
			}
			var d *damage
			if errors.As(err, &d) {
				if d.offset >= int64(cut) || d.offset < end {
					t.Fatalf("%s, cut at %d: damage is said to be at %d", form, cut, d.offset)
				}
				if !strings.Contains(err.Error(), fmt.Sprint("trace.pcap: offset ", d.offset)) {
					t.Fatalf("the message is %q", err)
				}
			} else if err != io.EOF {
				t.Fatalf("%s, cut at %d: %v", form, cut, err)
			}
		}
	}
}

func TestSectionsAndInterfaces(t *testing.T) {
	packet := func(port uint32, data string) packettest.Packet {
		return packettest.Packet{Time: time.Unix(1000, 0), Data: []byte(data), Port: port}
	}
	var b bytes.Buffer
	for _, s := range []struct {
		form    packettest.PcapNG
		packets []packettest.Packet
	}{
		{
			packettest.PcapNG{Interfaces: []packettest.Interface{{Link: 1}, {Link: 113, Resolution: 9}}},
			[]packettest.Packet{packet(1, "a"), packet(0, "b")},
		},
		{
			packettest.PcapNG{BigEndian: true, Interfaces: []packettest.Interface{{Link: 101, Resolution: 3, Snaplen: 2}}},
			[]packettest.Packet{packet(0, "c"), {Kind: packettest.Simple, Data: []byte("de"), Wire: 9}},
		},
	} {
		if err := packettest.WritePcapNG(&b, s.form, s.packets); err != nil {
			t.Fatal(err)
		}
	}
	got, _, err := readAll("x", &b)
	if err != io.EOF {
		t.Fatal(err)
	}
	same(t, got, []seen{{1000e9, 1, 113, "a"}, {1000e9, 1, 1, "b"}, {1000e9, 1, 101, "c"}, {1000e9, 9, 101, "de"}})
}

// TestLyingLengths changes one field of a good file; its neighbours must not suffer where the
// format allows it.
func TestLyingLengths(t *testing.T) {
	packets := somePackets(3)
	for i := range packets {
		packets[i].Data, packets[i].Wire = packets[i].Data[:40], 40
	}
	all := want(packets, 1)
	classic := bytes.Buffer{}
	packettest.WritePcap(&classic, 1, packettest.Pcap{Nano: true}, packets)
	ng := bytes.Buffer{}
	packettest.WritePcapNG(&ng, packettest.PcapNG{Interfaces: []packettest.Interface{{Link: 1, Resolution: 9}}}, packets)
	const first, record, block = classicHeader, 16 + 40, 32 + 40
	start := ng.Len() - 3*block
	for _, c := range []struct {
		name   string
		file   []byte
		at     int
		value  uint32
		want   []seen
		bad    uint64
		damage string
	}{
		{"classic, captured", classic.Bytes(), first + record + 8, 1 << 30, all[:1], 0, "a packet claims 1073741824 octets"},
		{"classic, captured more than there is", classic.Bytes(), first + 2*record + 8, 41, all[:2], 0, "cut off"},
		{"pcapng, captured", ng.Bytes(), start + block + 20, 1 << 30, []seen{all[0], all[2]}, 1, ""},
		{"pcapng, interface", ng.Bytes(), start + block + 8, 7, []seen{all[0], all[2]}, 1, ""},
		{"pcapng, first length", ng.Bytes(), start + block + 4, block + 4, all[:1], 0, "lengths of a block"},
		{"pcapng, last length", ng.Bytes(), start + block + 68, 4, all[:1], 0, "lengths of a block are 72 and 4"},
		{"pcapng, length 0", ng.Bytes(), start + block + 4, 0, all[:1], 0, "a block claims 0 octets"},
		{"pcapng, length 4 GiB", ng.Bytes(), start + block + 4, 1<<32 - 4, all[:1], 1, "cut off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := slices.Clone(c.file)
			copy(file[c.at:], []byte{byte(c.value), byte(c.value >> 8), byte(c.value >> 16), byte(c.value >> 24)})
			got, f, err := readAll("x", bytes.NewReader(file))
			same(t, got, slices.Clone(c.want))
			if f.bad != c.bad {
				t.Errorf("%d bad records, want %d", f.bad, c.bad)
			}
			if c.damage == "" && err != io.EOF || !strings.Contains(err.Error(), c.damage) {
				t.Errorf("ends with %v, want %q", err, c.damage)
			}
		})
	}
}

func TestOldVersionsHaveLengthsSwapped(t *testing.T) {
	var b bytes.Buffer
	packettest.WritePcap(&b, 1, packettest.Pcap{Nano: true, Minor: 2}, []packettest.Packet{{Time: time.Unix(1, 0), Data: []byte("abc"), Wire: 3}})
	file := b.Bytes()
	file[classicHeader+8] = 9 // on the wire
	got, _, err := readAll("x", bytes.NewReader(file))
	if err != io.EOF {
		t.Fatal(err)
	}
	same(t, got, []seen{{1e9, 9, 1, "abc"}})
}

func TestRefusedFiles(t *testing.T) {
	var b bytes.Buffer
	packettest.WritePcap(&b, 147, packettest.Pcap{}, nil)
	for content, want := range map[string]string{
		"":                                   "x is empty, not a capture file",
		"GIF89a, and more than enough of it": "x is not a capture file: it begins with 47 49 46 38",
		"\xd4\xc3\xb2\xa1":                   "x is not a capture file: it has 4 octets",
		b.String():                           "x: link type 147 (USER0) is not supported",
		"\xd4\xc3\xb2\xa1\x03\x00\x00\x00" + string(make([]byte, 16)): "x: version 3.0 of the capture format is not known",
	} {
		if _, _, err := readAll("x", strings.NewReader(content)); err == nil || err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
}

func TestInterfaceOfAnotherLinkTypeCostsItsOwnPackets(t *testing.T) {
	var b bytes.Buffer
	packettest.WritePcapNG(&b, packettest.PcapNG{Interfaces: []packettest.Interface{{Link: 189}, {Link: 1, Resolution: 0x7f}, {Link: 1}}}, nil)
	f, err := newFile("x", &b, make([]byte, blockSize))
	if err != nil {
		t.Fatal(err)
	}
	f.next(make([]frame, 1))
	for i, want := range []string{"link type 189 (USB_LINUX) is not supported", "time resolution 0x7f is not supported", "<nil>"} {
		if got := fmt.Sprint(f.ports[i].refused); got != want {
			t.Errorf("interface %d: %s, want %s", i, got, want)
		}
	}
}

func TestClock(t *testing.T) {
	for _, c := range []struct {
		resolution byte
		offset     int64
		ticks      uint64
		want       int64
	}{
		{6, 0, 1714564800_000001, 1714564800_000001000},
		{9, 0, 1714564800_000000001, 1714564800_000000001},
		{0, 0, 4294967295, 4294967295_000000000},
		{12, 1714564000, 800_250000000001, 1714564800_250000000},
		{19, 0, 15_000000000_000000000 / 10 * 10, 1_500000000},
		{0x80 | 63, 5, 1 << 62, 5_500000000},
		{0x80 | 20, 0, 3<<20 | 1<<19, 3_500000000},
		{9, 0, 1<<64 - 1, 1<<63 - 1},
		{0, 0, 1<<64 - 1, 1<<63 - 1},
		{10, 1 << 62, 10, 1<<63 - 1},
		{6, -1 << 63, 5000000, 0},
		{6, -2, 5000000, 3_000000000},
	} {
		k, ok := newClock(c.resolution, c.offset)
		if got := k.nanos(c.ticks); !ok || got != c.want {
			t.Errorf("resolution 0x%02x, offset %d: %d ticks are %d ns, want %d", c.resolution, c.offset, c.ticks, got, c.want)
		}
	}
	for _, r := range []byte{20, 127, 0x80 | 64, 255} {
		if _, ok := newClock(r, 0); ok {
			t.Errorf("resolution 0x%02x is taken", r)
		}
	}
}

func TestExpand(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.pcap", "a.pcap", "c.pcapng", "odd[1].pcap"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in := func(names ...string) []string {
		for i, n := range names {
			if n != "-" {
				names[i] = filepath.Join(dir, n)
			}
		}
		return names
	}
	for _, c := range []struct{ patterns, want []string }{
		{in("*.pcap"), in("a.pcap", "b.pcap", "odd[1].pcap")},
		{in("c.pcapng", "?.pcap", "-"), in("c.pcapng", "a.pcap", "b.pcap", "-")},
		{in("odd[1].pcap"), in("odd[1].pcap")},
	} {
		if got, err := expand(c.patterns); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q are %q (%v), want %q", c.patterns, got, err, c.want)
		}
	}
	for _, p := range [][]string{in("none.pcap"), in("none*"), in("[z"), nil} {
		if got, err := expand(p); err == nil {
			t.Errorf("%q are %q, want an error", p, got)
		}
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	for form, content := range captures(t, somePackets(200)) {
		src := bytes.NewReader(content)
		block := make([]byte, blockSize)
		var frames [256]frame
		f, err := newFile("x", src, block)
		if err != nil {
			t.Fatal(err)
		}
		f.next(frames[:1]) // reads the interfaces
		from := *f
		if n := testing.AllocsPerRun(10, func() {
			*f = from
			for f.next(frames[:]) > 0 {
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations a run", form, n)
		}
	}
}

func FuzzClassic(f *testing.F) {
	for form, content := range captures(f, somePackets(3)) {
		if strings.HasPrefix(form, "classic") {
			f.Add(content)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) > 4 && content[0] == 0x0a {
			return
		}
		hostile(t, content)
	})
}

func FuzzPcapNG(f *testing.F) {
	for form, content := range captures(f, somePackets(3)) {
		if strings.HasPrefix(form, "pcapng") {
			f.Add(content)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		hostile(t, append([]byte{0x0a, 0x0d, 0x0d, 0x0a}, content[min(4, len(content)):]...))
	})
}

// hostile reads a file of any octets in one go and in halves: the packets and the end must be the
// same, and every packet must lie in the file.
func hostile(t *testing.T, content []byte) {
	got, f, err := readAll("x", bytes.NewReader(content))
	again, g, err2 := readAll("x", iotest.HalfReader(bytes.NewReader(content)))
	if fmt.Sprint(err) != fmt.Sprint(err2) || !slices.Equal(got, again) {
		t.Fatalf("%d packets and %v at once, %d and %v in parts", len(got), err, len(again), err2)
	}
	if err == nil || f != nil && (f.bad != g.bad || len(f.ports) > maxPorts) {
		t.Fatalf("ends without an error or counts differently")
	}
	var octets int
	for _, s := range got {
		octets += len(s.data)
		if s.time < 0 {
			t.Fatalf("time %d", s.time)
		}
		network(s.link, []byte(s.data))
	}
	if octets > len(content) {
		t.Fatalf("%d octets of packets in a file of %d", octets, len(content))
	}
}

func BenchmarkFraming(b *testing.B) {
	for _, c := range []string{"classic", "pcapng"} {
		b.Run(c, func(b *testing.B) {
			var buf bytes.Buffer
			packets := somePackets(2000)
			for i := range packets {
				packets[i].Data = packets[i].Data[:min(98, len(packets[i].Data))]
			}
			if c == "classic" {
				packettest.WritePcap(&buf, 1, packettest.Pcap{Nano: true}, packets)
			} else {
				packettest.WritePcapNG(&buf, packettest.PcapNG{Interfaces: []packettest.Interface{{Link: 1, Resolution: 9}}}, packets)
			}
			f, err := newFile("x", &buf, make([]byte, blockSize))
			if err != nil {
				b.Fatal(err)
			}
			var frames [256]frame
			f.next(frames[:1])
			from := *f
			n := 0
			for b.Loop() {
				*f = from
				for k := f.next(frames[:]); k > 0; k = f.next(frames[:]) {
					n += k
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/packet")
		})
	}
}
