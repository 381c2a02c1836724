package base

import (
	"bufio"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/test/stacktest"
)

// packet is what an input tells of a packet.
type packet struct {
	data     []byte
	family   uint8
	protocol uint16
	wire     uint32
}

// feed is an input of given packets, again and again if asked.
type feed struct {
	packets []packet
	rounds  int
	block   *engine.Block

	raw      engine.Col[engine.Raw]
	family   engine.Col[uint8]
	protocol engine.Col[uint16]
	wire     engine.Col[uint32]
	g        engine.Group
	filled   *engine.Batch
}

func (f *feed) Options(*engine.Options) {}

func (f *feed) Bind(p *engine.Binder) {
	f.g = p.Group()
	f.raw = engine.Give(p, f.g, key.RawPkt)
	f.family = engine.Give(p, f.g, key.OOBFamily)
	f.protocol = engine.Give(p, f.g, key.OOBProtocol)
	f.wire = engine.Give(p, f.g, key.RawWireLen)
}

func (f *feed) Read(b *engine.Batch, _ time.Time) error {
	n := min(len(f.packets), engine.BatchSize)
	if f.filled != b {
		f.fill(b, n)
	}
	have := b.Have()
	for r := range n {
		have[r] = f.g.Mask()
	}
	b.SetData(f.block)
	b.Fill(n)
	if f.rounds--; f.rounds > 0 {
		return nil
	}
	f.packets = f.packets[n:]
	f.filled = nil
	if len(f.packets) > 0 {
		return nil
	}
	return io.EOF
}

func (f *feed) fill(b *engine.Batch, n int) {
	f.filled = b
	var all []byte
	raw, family, protocol, wire := f.raw.Of(b), f.family.Of(b), f.protocol.Of(b), f.wire.Of(b)
	for i, p := range f.packets[:n] {
		raw[i] = engine.Raw{Off: uint32(len(all)), Len: uint32(len(p.data))}
		family[i], protocol[i], wire[i] = p.family, p.protocol, max(p.wire, uint32(len(p.data)))
		all = append(all, p.data...)
	}
	f.block = engine.NewBlocks(len(all) + 1).Get()
	copy(f.block.Data, all)
}

// record is an output that keeps each row as a map.
type record struct {
	names  []string // keys to read; all if empty
	fields []engine.Field
	tuple  engine.Col[key.Tuple]
	rows   []map[string]string
	tuples []key.Tuple
}

func (o *record) Options(*engine.Options) {}

func (o *record) Bind(p *engine.Binder) engine.Stage {
	o.tuple = engine.Want(p, key.FlowTuple)
	o.fields = p.All(func(f engine.Field) bool {
		return f.Giver == "b:BASE" && (o.names == nil || slices.Contains(o.names, f.Name))
	})
	return o
}

func (o *record) Consume(b *engine.Batch) {
	for _, r := range b.Rows() {
		row := map[string]string{}
		for i := range o.fields {
			if f := &o.fields[i]; f.Has(b, r) {
				row[f.Name] = string(f.AppendText(nil, b, r))
			}
		}
		if o.tuple.Has(b, r) {
			row["flow.tuple"] = "yes"
		}
		o.rows = append(o.rows, row)
		o.tuples = append(o.tuples, o.tuple.Of(b)[r])
	}
}

// run takes packets through BASE with the settings, given as name=value.
func run(t testing.TB, in *feed, out *record, settings ...string) {
	t.Helper()
	runInto(t, in, out, settings...)
}

func runInto(t testing.TB, in *feed, out engine.Output, settings ...string) *engine.Machine {
	t.Helper()
	p, _ := engine.Default.Lookup(engine.FilterKind, "BASE")
	b := engine.NewInstance(p, "b")
	stacktest.Set(t, b, settings...)
	m, problems := engine.Build(slog.New(slog.DiscardHandler), []engine.StackSpec{{Instances: []*engine.Instance{
		stacktest.Instance(engine.InputKind, in), b, stacktest.Instance(engine.OutputKind, out),
	}}})
	for _, p := range problems {
		t.Fatal(p)
	}
	if err := m.Open(); err != nil {
		t.Fatal(err)
	}
	if b, ok := t.(*testing.B); ok {
		b.ResetTimer()
	}
	m.Start()
	if err := m.Wait(); err != nil {
		t.Fatal(err)
	}
	return m
}

// decode returns the keys of one packet.
func decode(t testing.TB, p packet, settings ...string) (map[string]string, key.Tuple) {
	t.Helper()
	out := &record{}
	run(t, &feed{packets: []packet{p}}, out, settings...)
	return out.rows[0], out.tuples[0]
}

// golden reads lines of key=value pairs.
func golden(t *testing.T, name string) (rows []map[string]string) {
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		row := map[string]string{}
		for kv := range strings.SplitSeq(s.Text(), ",") {
			k, v, _ := strings.Cut(kv, "=")
			row[k] = v
		}
		rows = append(rows, row)
	}
	return rows
}
