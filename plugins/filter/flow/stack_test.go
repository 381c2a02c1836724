package flow

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	_ "ulogd/plugins/filter/base"
	"ulogd/test/stacktest"
)

// packet is one as an input gives it: raw IP.
type packet struct {
	time    int64
	data    []byte
	wire    uint32
	ifindex uint32
	mark    uint32
	mac     string
	vlan    uint16

	hardware uint16 // type of the header; 0: Ethernet
}

// feed is an input of packets of the past, or live ones.
type feed struct {
	packets []packet
	live    bool
	noMark  bool
	batch   int         // packets in a batch; 0: all that fit
	pause   func(n int) // called before a batch, with the packets given so far
	given   int
	newest  int64

	raw      engine.Col[engine.Raw]
	mac      engine.Col[engine.Raw]
	hardware engine.Col[uint16]
	family   engine.Col[uint8]
	protocol engine.Col[uint16]
	wire     engine.Col[uint32]
	time     engine.Col[engine.Time]
	ifindex  engine.Col[uint32]
	mark     engine.Col[uint32]
	vlan     engine.Col[uint16]

	all, hasIfindex, hasVLAN, hasMAC, hasMark engine.Group
}

func (f *feed) Options(*engine.Options) {}

func (f *feed) Bind(p *engine.Binder) {
	f.all, f.hasIfindex, f.hasVLAN, f.hasMAC = p.Group(), p.Group(), p.Group(), p.Group()
	f.raw = engine.Give(p, f.all, key.RawPkt)
	f.family = engine.Give(p, f.all, key.OOBFamily)
	f.protocol = engine.Give(p, f.all, key.OOBProtocol)
	f.wire = engine.Give(p, f.all, key.RawWireLen)
	f.time = engine.Give(p, f.all, key.OOBTime)
	if f.hasMark = p.Group(); !f.noMark {
		f.mark = engine.Give(p, f.hasMark, key.OOBMark)
	}
	f.ifindex = engine.Give(p, f.hasIfindex, key.OOBIfIn)
	f.vlan = engine.Give(p, f.hasVLAN, key.OOBVLAN)
	f.mac = engine.Give(p, f.hasMAC, key.RawMAC)
	f.hardware = engine.Give(p, f.hasMAC, key.RawType)
}

func (f *feed) Read(b *engine.Batch, _ time.Time) error {
	if f.pause != nil {
		f.pause(f.given)
	}
	n := min(len(f.packets), engine.BatchSize)
	if f.batch > 0 {
		n = min(n, f.batch)
	}
	var data []byte
	add := func(p []byte) engine.Raw {
		data = append(data, p...)
		return engine.Raw{Off: uint32(len(data) - len(p)), Len: uint32(len(p))}
	}
	have := b.Have()
	for i, p := range f.packets[:n] {
		have[i] = f.all.Mask()
		f.raw.Of(b)[i] = add(p.data)
		f.family.Of(b)[i], f.protocol.Of(b)[i] = engine.FamilyIPv4, engine.EtherIPv4
		if len(p.data) > 0 && p.data[0]>>4 == 6 {
			f.family.Of(b)[i], f.protocol.Of(b)[i] = engine.FamilyIPv6, engine.EtherIPv6
		}
		f.wire.Of(b)[i] = max(p.wire, uint32(len(p.data)))
		f.time.Of(b)[i] = engine.Time(p.time)
		if !f.noMark {
			f.mark.Of(b)[i] = p.mark
			have[i] |= f.hasMark.Mask()
		}
		if p.ifindex != 0 {
			f.ifindex.Of(b)[i] = p.ifindex
			have[i] |= f.hasIfindex.Mask()
		}
		if p.vlan != 0 {
			f.vlan.Of(b)[i] = p.vlan
			have[i] |= f.hasVLAN.Mask()
		}
		if p.mac != "" {
			f.mac.Of(b)[i], f.hardware.Of(b)[i] = add([]byte(p.mac)), max(p.hardware, 1)
			have[i] |= f.hasMAC.Mask()
		}
		f.newest = max(f.newest, p.time)
	}
	block := engine.NewBlocks(len(data) + 1).Get()
	copy(block.Data, data)
	b.SetData(block)
	b.Fill(n)
	if !f.live {
		b.SetReplay(f.newest)
	}
	f.packets, f.given = f.packets[n:], f.given+n
	if len(f.packets) == 0 {
		return io.EOF
	}
	return nil
}

// record is a flow's record as an output reads it.
type record map[string]string

// keeper is an output that keeps records.
type keeper struct {
	fields  []engine.Field
	start   engine.Col[engine.Time]
	end     engine.Col[engine.Time]
	records []record
	nanos   []times
}

// times are a record's, in nanoseconds.
type times struct{ start, end int64 }

func (k *keeper) Options(*engine.Options) {}

func (k *keeper) Bind(p *engine.Binder) engine.Stage {
	k.fields = p.All(func(engine.Field) bool { return true })
	k.start, k.end = engine.Need(p, key.FlowStart), engine.Need(p, key.FlowEnd)
	return k
}

func (k *keeper) Consume(b *engine.Batch) {
	for _, r := range b.Rows() {
		row := record{}
		for i := range k.fields {
			if f := &k.fields[i]; f.Has(b, r) {
				row[f.Name] = string(f.AppendText(nil, b, r))
			}
		}
		k.records = append(k.records, row)
		k.nanos = append(k.nanos, times{int64(k.start.Of(b)[r]), int64(k.end.Of(b)[r])})
	}
}

// run takes packets through BASE and FLOW and returns the records and FLOW's counters. Settings are
// name=value.
func run(t testing.TB, in *feed, settings ...string) (*keeper, engine.Snapshot) {
	t.Helper()
	out := &keeper{}
	m := build(t, in, out, settings...)
	if err := m.Open(); err != nil {
		t.Fatal(err)
	}
	m.Start()
	if err := m.Wait(); err != nil {
		t.Fatal(err)
	}
	var flow engine.Snapshot
	for _, s := range m.Snapshot() {
		if open := s.Open(); open != 0 {
			t.Errorf("%s: the sum does not close by %d: %+v", s.ID, open, s)
		}
		if s.Plugin == "FLOW" {
			flow = s
		}
	}
	if flow.Held != 0 || int(flow.Out) != len(out.records) {
		t.Errorf("%d held at the end, %d handed on, %d arrived", flow.Held, flow.Out, len(out.records))
	}
	return out, flow
}

func build(t testing.TB, in engine.Input, out engine.Output, settings ...string) *engine.Machine {
	t.Helper()
	base, _ := engine.Default.Lookup(engine.FilterKind, "BASE")
	return stack(t, stacktest.Instance(engine.InputKind, in), engine.NewInstance(base, "b"), flowInstance(t, settings), stacktest.Instance(engine.OutputKind, out))
}

// buildFlow leaves BASE out: the input gives what BASE would.
func buildFlow(t testing.TB, in engine.Input, out engine.Output, settings ...string) *engine.Machine {
	t.Helper()
	return stack(t, stacktest.Instance(engine.InputKind, in), flowInstance(t, settings), stacktest.Instance(engine.OutputKind, out))
}

func flowInstance(t testing.TB, settings []string) *engine.Instance {
	t.Helper()
	plugin, _ := engine.Default.Lookup(engine.FilterKind, "FLOW")
	f := engine.NewInstance(plugin, "f")
	stacktest.Configure(t, f, settings...)
	return f
}

func stack(t testing.TB, instances ...*engine.Instance) *engine.Machine {
	t.Helper()
	m, problems := engine.Build(slog.New(slog.DiscardHandler), []engine.StackSpec{{Instances: instances}})
	for _, p := range problems {
		t.Fatal(p)
	}
	return m
}

// show writes a record's main keys on a line, for comparing.
func (r record) show(names ...string) string {
	if len(names) == 0 {
		names = []string{
			"orig.ip.saddr", "orig.l4.sport", "orig.ip.daddr", "orig.l4.dport", "orig.ip.protocol",
			"orig.raw.pktcount", "orig.raw.pktlen", "flow.end.reason",
		}
	}
	var b strings.Builder
	for _, n := range names {
		v, ok := r[n]
		if !ok {
			v = "-"
		}
		fmt.Fprintf(&b, "%s ", v)
	}
	return strings.TrimSpace(b.String())
}

// lines shows all records, sorted.
func (k *keeper) lines(names ...string) []string {
	var out []string
	for _, r := range k.records {
		out = append(out, r.show(names...))
	}
	slices.Sort(out)
	return out
}

func reading(s engine.Snapshot, name string) int64 {
	for _, list := range [][]engine.Reading{s.Counters, s.Drops} {
		for _, r := range list {
			if r.Name == name {
				return r.Value
			}
		}
	}
	return -1
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}
