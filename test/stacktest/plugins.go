package stacktest

import (
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "ROWS", Input: func() engine.Input { return &rows{} },
		Doc: "For tests: gives the records that Feed was handed, one batch per call.",
	})
	engine.Register(engine.Plugin{
		Name: "RECORD", Output: func() engine.Output { return &record{} },
		Doc: "For tests: keeps every record as a line name=value ..., for Recorded.",
	})
}

var (
	feeds    = map[string][][]map[string]string{}
	recorded = map[string][]string{}
)

// Feed hands records to the ROWS input that has name as its feed option: each is a map of keys to text. All calls come before the daemon starts;
// each makes one batch.
func Feed(name string, rows ...map[string]string) {
	mu.Lock()
	defer mu.Unlock()
	feeds[name] = append(feeds[name], rows)
}

// Recorded returns the lines that the RECORD output with that name option has kept, and forgets them.
func Recorded(name string) []string {
	mu.Lock()
	defer mu.Unlock()
	defer delete(recorded, name)
	return recorded[name]
}

// rows gives records from text. It gives every key of the list that it was fed with.
type rows struct {
	feed    string
	live    bool
	batches [][]map[string]string
	set     []func(b *engine.Batch, r engine.Row, row map[string]string)
}

func (s *rows) Options(o *engine.Options) {
	o.String(&s.feed, "feed", "default", "name that Feed was called with")
	o.Bool(&s.live, "live", false, "do not end after the last record")
}

func (s *rows) Bind(p *engine.Binder) {
	mu.Lock()
	s.batches = feeds[s.feed]
	mu.Unlock()
	names := map[string]bool{}
	for _, b := range s.batches {
		for _, row := range b {
			for k := range row {
				names[k] = true
			}
		}
	}
	for _, k := range known {
		if names[k.name] {
			s.set = append(s.set, k.bind(p))
			delete(names, k.name)
		}
	}
	for k := range names {
		p.Problem("ROWS does not know the key %s", k)
	}
}

func (s *rows) Backpressure() bool { return true }

func (s *rows) Read(b *engine.Batch, deadline time.Time) error {
	if len(s.batches) == 0 {
		if s.live {
			time.Sleep(time.Until(deadline))
			return nil
		}
		return io.EOF
	}
	for i, row := range s.batches[0] {
		r := engine.Row(i)
		b.Have()[r] = 0
		for _, set := range s.set {
			set(b, r, row)
		}
	}
	b.Fill(len(s.batches[0]))
	s.batches = s.batches[1:]
	return nil
}

type knownKey struct {
	name string
	bind func(p *engine.Binder) func(*engine.Batch, engine.Row, map[string]string)
}

// rowKey makes a key that ROWS can give, with how its text is read.
func rowKey[T any](k engine.Key[T], parse func(*engine.Batch, string) T) knownKey {
	return knownKey{k.Name(), func(p *engine.Binder) func(*engine.Batch, engine.Row, map[string]string) {
		g := p.Group()
		col := engine.Give(p, g, k)
		return func(b *engine.Batch, r engine.Row, row map[string]string) {
			if text, ok := row[k.Name()]; ok {
				col.Of(b)[r] = parse(b, text)
				b.Have()[r] |= g.Mask()
			}
		}
	}}
}

func number[T engine.Integer](k engine.Key[T]) knownKey {
	return rowKey(k, func(_ *engine.Batch, s string) T {
		n, err := strconv.ParseUint(s, 0, 64)
		if err != nil {
			panic(err)
		}
		return T(n)
	})
}

func address(k engine.Key[engine.Addr]) knownKey {
	return rowKey(k, func(_ *engine.Batch, s string) engine.Addr { return engine.AddrFrom(netip.MustParseAddr(s)) })
}

func text(k engine.Key[engine.String]) knownKey {
	return rowKey(k, func(b *engine.Batch, s string) engine.String { return engine.String(b.AddText([]byte(s))) })
}

func raw(k engine.Key[engine.Raw]) knownKey {
	return rowKey(k, func(b *engine.Batch, s string) engine.Raw { return engine.Raw(b.AddText([]byte(s))) })
}

func hardware(k engine.Key[engine.MAC]) knownKey {
	return rowKey(k, func(_ *engine.Batch, s string) (a engine.MAC) {
		hw, err := net.ParseMAC(s)
		if err != nil {
			panic(err)
		}
		copy(a[:], hw)
		return a
	})
}

// label takes the 128 bits as hexadecimal digits.
func label(k engine.Key[engine.Label]) knownKey {
	return rowKey(k, func(_ *engine.Batch, s string) (l engine.Label) {
		if _, err := hex.Decode(l[:], []byte(s)); err != nil {
			panic(err)
		}
		return l
	})
}

// known is what ROWS can give. Raw data is written as it is, times as nanoseconds since 1970.
var known = []knownKey{
	number(key.OOBFamily), number(key.OOBProtocol), number(key.OOBTime), number(key.OOBMark), number(key.OOBHook),
	number(key.OOBIfIn), number(key.OOBIfOut), text(key.OOBPrefix), text(key.OOBIn), text(key.OOBOut), number(key.OOBVLAN),
	number(key.OOBUID), number(key.OOBGID),
	raw(key.RawPkt), number(key.RawPktLen), number(key.RawPktCount), raw(key.RawMAC), number(key.RawMACLen), number(key.RawType), number(key.RawLabel),
	raw(key.RawMACSaddr), number(key.RawMACAddrLen),
	address(key.IPSaddr), address(key.IPDaddr), number(key.IPProtocol),
	address(key.OrigSaddr), address(key.OrigDaddr), number(key.OrigProtocol), number(key.OrigSport), number(key.OrigDport),
	number(key.OrigOctets), number(key.OrigPackets),
	address(key.ReplySaddr), address(key.ReplyDaddr), number(key.ReplyProtocol), number(key.ReplySport), number(key.ReplyDport),
	number(key.ReplyOctets), number(key.ReplyPackets),
	number(key.ICMPType), number(key.ICMPCode), number(key.ICMP6Type), number(key.ICMP6Code),
	number(key.CTMark), number(key.CTID), number(key.CTEvent), number(key.CTStatus), number(key.CTZone),
	number(key.CTTCPState), label(key.CTLabels), rowKey(key.CTRecovered, func(_ *engine.Batch, s string) bool { return s != "0" }),
	number(key.FlowStart), number(key.FlowEnd), number(key.FlowEndReason), number(key.ReplyStart), number(key.ReplyEnd),
	number(key.OrigTOS), number(key.ReplyTOS), number(key.OrigTCPFlags), number(key.ReplyTCPFlags),
	hardware(key.OrigMACSaddr), hardware(key.OrigMACDaddr),
	address(key.RouteNextHop), number(key.RouteSrcPlen), number(key.RouteDstPlen),
	text(key.SumName), number(key.SumPackets), number(key.SumOctets),
}

// record keeps records as text.
type record struct {
	name  string
	delay time.Duration
	keys  engine.Selection
}

func (o *record) Options(opts *engine.Options) {
	opts.String(&o.name, "name", "default", "name for Recorded")
	opts.Seconds(&o.delay, "delay", 0, "how long each batch takes")
	o.keys.Options(opts)
}

func (o *record) Bind(p *engine.Binder) engine.Stage { return &recordStage{o, o.keys.Fields(p)} }

type recordStage struct {
	*record
	fields []engine.Field
}

func (s *recordStage) Consume(b *engine.Batch) {
	time.Sleep(s.delay)
	var lines []string
	for _, r := range b.Rows() {
		var parts []string
		for i := range s.fields {
			if f := &s.fields[i]; f.Has(b, r) {
				parts = append(parts, fmt.Sprintf("%s=%s", f.Name, f.AppendText(nil, b, r)))
			}
		}
		lines = append(lines, strings.Join(parts, " "))
	}
	mu.Lock()
	defer mu.Unlock()
	recorded[s.name] = append(recorded[s.name], lines...)
}
