package netflow9

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/netsampler/goflow2/v2/decoders/netflow"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/test/nstest"
	"ulogd/test/packettest"
	"ulogd/test/stacktest"
)

// source is an input of n connections of which every third is IPv6, each with a reply, as a file of
// the past or live.
type source struct {
	n      int
	replay bool
	gate   chan bool // each value lets a batch through
	write  func(b *engine.Batch, r engine.Row, i int)
	made   int
}

// epoch is when the oldest flow of a replayed file begins: 2020-01-01 00:00:00 UTC.
const epoch = int64(1577836800e9)

func (s *source) Options(*engine.Options) {}

// Counts implements engine.Counting.
func (s *source) Counts() engine.Counts { return engine.CountsDelta }

func (s *source) start(i int) int64 {
	if s.replay {
		return epoch + int64(i)*1e6
	}
	return time.Now().Add(-time.Minute).UnixNano()
}

func (s *source) Bind(p *engine.Binder) {
	g := p.Group()
	fam, src, dst, proto := engine.Give(p, g, key.OOBFamily), engine.Give(p, g, key.OrigSaddr), engine.Give(p, g, key.OrigDaddr), engine.Give(p, g, key.OrigProtocol)
	sport, dport := engine.Give(p, g, key.OrigSport), engine.Give(p, g, key.OrigDport)
	pkts, octets, rpkts, roctets := engine.Give(p, g, key.OrigPackets), engine.Give(p, g, key.OrigOctets), engine.Give(p, g, key.ReplyPackets), engine.Give(p, g, key.ReplyOctets)
	start, end, mark := engine.Give(p, g, key.FlowStart), engine.Give(p, g, key.FlowEnd), engine.Give(p, g, key.CTMark)
	flags, first := engine.Give(p, g, key.OrigTCPFlags), engine.Give(p, g, key.FlowEpoch)
	s.write = func(b *engine.Batch, r engine.Row, i int) {
		b.Have()[r] = g.Mask()
		fam.Of(b)[r], src.Of(b)[r], dst.Of(b)[r] = engine.FamilyIPv4, engine.Addr4(0x0a000000+uint32(i)), engine.Addr4(0xc0000201)
		if i%3 == 2 {
			fam.Of(b)[r] = engine.FamilyIPv6
			src.Of(b)[r] = engine.AddrFrom(netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i)))
			dst.Of(b)[r] = engine.AddrFrom(netip.MustParseAddr("2001:db8:1::1"))
		}
		proto.Of(b)[r], sport.Of(b)[r], dport.Of(b)[r], flags.Of(b)[r] = 6, uint16(i), 443, 0x1b
		pkts.Of(b)[r], octets.Of(b)[r], rpkts.Of(b)[r], roctets.Of(b)[r] = 5, 500+uint64(i), 7, 7000
		at := s.start(i)
		start.Of(b)[r], end.Of(b)[r], first.Of(b)[r] = engine.Time(at), engine.Time(at+2e9), engine.Time(epoch)
		mark.Of(b)[r] = 9
	}
}

func (s *source) Read(b *engine.Batch, deadline time.Time) error {
	if s.gate != nil {
		select {
		case <-s.gate:
		case <-time.After(time.Until(deadline)):
			return nil
		}
	}
	n := min(s.n-s.made, engine.BatchSize)
	for i := range n {
		s.write(b, engine.Row(i), s.made+i)
	}
	s.made += n
	b.Fill(n)
	if s.replay {
		b.SetReplay(s.start(s.made) + 2e9)
	}
	if s.made == s.n {
		return io.EOF
	}
	return nil
}

// run runs source:SOURCE,nf1:NETFLOW9 to its end.
func run(t *testing.T, s *source, set ...string) *engine.Instance {
	t.Helper()
	in := engine.NewInstance(&engine.Plugin{Name: "SOURCE", Input: func() engine.Input { return s }}, "source")
	p, _ := engine.Default.Lookup(engine.OutputKind, "NETFLOW9")
	out := engine.NewInstance(p, "nf1")
	for i := 0; i < len(set); i += 2 {
		stacktest.Set(t, out, set[i]+"="+set[i+1])
	}
	stacktest.Configure(t, out)
	m, problems := engine.Build(slog.New(slog.DiscardHandler), []engine.StackSpec{{Instances: []*engine.Instance{in, out}}})
	if len(problems) > 0 {
		t.Fatal(problems[0])
	}
	if err := m.Open(); err != nil {
		t.Fatal(err)
	}
	m.Start()
	if s.gate != nil { // the session, and with it the path's MTU, is there before the first record
		time.Sleep(250 * time.Millisecond)
		close(s.gate)
	}
	<-m.Ended()
	if err := m.Wait(); err != nil {
		t.Fatal(err)
	}
	st := out.Stats
	dropped := st.Drop("buffer_full", "").Load() + st.Drop("no_template", "").Load() + st.Drop("record_too_big", "").Load() + st.Drop("collector_away", "").Load()
	if st.In.Load()+st.Made.Load() != st.Out.Load()+st.Filtered.Load()+st.Held.Load()+dropped {
		t.Errorf("in %d + made %d, out %d + filtered %d + held %d + dropped %d", st.In.Load(), st.Made.Load(), st.Out.Load(), st.Filtered.Load(), st.Held.Load(), dropped)
	}
	return out
}

func listen(t testing.TB) *net.UDPConn { t.Helper(); return stacktest.ListenUDP(t) }

func TestRecords(t *testing.T) {
	nstest.Need(t, "native") // qemu hands the length of segments (UDP_SEGMENT) to the kernel in the wrong byte order
	for _, replay := range []bool{true, false} {
		t.Run(fmt.Sprintf("replay=%v", replay), func(t *testing.T) {
			c := listen(t)
			const flows = 1000
			run(t, &source{n: flows, replay: replay, gate: make(chan bool)}, "host", c.LocalAddr().String(), "source_id", "5")
			templates := netflow.CreateTemplateSystem()
			var packets []packettest.Packet
			records, sequence, announced := 0, uint32(0), 0
			seen := map[string]int{}
			for records < 2*flows {
				buf := make([]byte, 65536)
				c.SetReadDeadline(time.Now().Add(30 * time.Second))
				n, err := c.Read(buf)
				if err != nil {
					t.Fatalf("%v after %d records", err, records)
				}
				msg := buf[:n]
				if n > longestMessage {
					t.Errorf("a message of %d octets", n)
				}
				packets = append(packets, packettest.Packet{Data: packettest.Build(packettest.Ethernet{}, packettest.IPv4{}, packettest.UDP{Src: 40000, Dst: 2055}, packettest.Raw(msg))})
				var p netflow.NFv9Packet
				if err := netflow.DecodeMessageVersion(bytes.NewBuffer(msg), templates, &p, nil); err != nil {
					t.Fatalf("goflow2: %v\n%x", err, msg)
				}
				if p.SequenceNumber != sequence || p.SourceId != 5 {
					t.Fatalf("message %d of source 5 says %d of %d", sequence, p.SequenceNumber, p.SourceId)
				}
				sequence++
				count := 0
				for _, fs := range p.FlowSets {
					switch fs := fs.(type) {
					case netflow.DataFlowSet:
						count += len(fs.Records)
						for _, r := range fs.Records {
							seen[summary(p, r.Values)]++
							if last := uint32(numbers(r.Values)[21]); last > p.SystemUptime {
								t.Errorf("a flow ends at %d ms, its header is of %d", last, p.SystemUptime)
							}
						}
						records += len(fs.Records)
					case netflow.TemplateFlowSet:
						count += len(fs.Records)
						announced++
					}
				}
				if count != int(p.Count) {
					t.Errorf("the header counts %d records, there are %d", p.Count, count)
				}
			}
			if announced < records/20/2/20 {
				t.Errorf("templates were announced %d times in %d messages", announced, sequence)
			}
			s := &source{replay: replay}
			for i := range flows {
				for _, want := range []string{fmt.Sprintf("%d>443 5/%d", i, 500+i), fmt.Sprintf("443>%d 7/7000", i)} {
					if replay {
						want += fmt.Sprint(" ", s.start(i)/1e6)
					}
					if seen[want] != 1 {
						t.Fatalf("record %q arrived %d times", want, seen[want])
					}
				}
			}
			tshark(t, packets, records)
		})
	}
}

// summary tells ports, packets, octets and, for a file of the past, when the flow began.
func summary(p netflow.NFv9Packet, values []netflow.DataField) string {
	v := numbers(values)
	s := fmt.Sprintf("%d>%d %d/%d", v[7], v[11], v[2], v[1])
	if p.UnixSeconds < uint32(time.Now().Unix()-3600) {
		s += fmt.Sprint(" ", int64(p.UnixSeconds)*1000-int64(p.SystemUptime-uint32(v[22])))
	}
	return s
}

// numbers reads all fields as numbers, by their type.
func numbers(values []netflow.DataField) map[uint16]uint64 {
	v := map[uint16]uint64{}
	for _, f := range values {
		b, _ := f.Value.([]byte)
		var n uint64
		for _, c := range b {
			n = n<<8 | uint64(c)
		}
		v[f.Type] = n
	}
	return v
}

func tshark(t *testing.T, packets []packettest.Packet, records int) {
	t.Helper()
	nstest.Need(t, "tool:tshark")
	name := filepath.Join(t.TempDir(), "v9.pcap")
	var file bytes.Buffer
	if err := packettest.WritePcap(&file, 1, packettest.Pcap{}, packets); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("tshark", "-n", "-r", name, "-d", "udp.port==2055,cflow", "-O", "cflow", "-V").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(out), "SrcAddr: "); n != records {
		t.Errorf("tshark shows %d records, want %d", n, records)
	}
	for _, bad := range []string{"Malformed", "Unexpected flow sequence", "No template found"} {
		if strings.Contains(string(out), bad) {
			t.Errorf("tshark says %q", bad)
		}
	}
}

// TestPadding checks that flowsets end on four octets (RFC 3954 section 5.3): records here have an
// odd length.
func TestPadding(t *testing.T) {
	c := listen(t)
	run(t, &source{n: 1}, "host", c.LocalAddr().String(), "fields", "protocolIdentifier,sourceTransportPort", "direction", "sum")
	buf := make([]byte, 2048)
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	p := buf[20:n]
	for len(p) > 0 {
		set := int(binary.BigEndian.Uint16(p[2:]))
		if set%4 != 0 || set > len(p) {
			t.Fatalf("a flowset of %d octets where %d are left", set, len(p))
		}
		p = p[set:]
	}
}
