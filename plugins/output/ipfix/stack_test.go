// A stack for tests: an input that gives the rows it is handed, and collectors on the loopback
// address.

package ipfix

import (
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/engine/value"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// flow is a row as tests write it. Zero values of what a flow may lack mean that it lacks it.
type flow struct {
	src, dst         string
	proto            uint8
	sport, dport     uint16
	ports            bool
	icmpType         uint8
	icmp             bool
	pkts, octets     uint64
	rpkts, roctets   uint64
	start, end       int64 // nanoseconds since 1970
	mark             uint32
	event            uint32
	rsrc, rdst       string // default: dst, src
	rsport, rdport   uint16 // default: dport, sport
	tcpState         uint8
	labels           bool
	zone             uint16
	helper           string
	tos, rtos        uint8
	flags, rflags    uint16
	shaped, routed   bool
	nexthop          string
	splen, dplen     uint8
	ifin, ifout      uint32
	vlan             uint16
	noCounters       bool
	noReplyTuple     bool
	smac, dmac       engine.MAC
	recovered, macs  bool
	rstart, rend     int64
	id               uint32
	withoutAddresses bool
}

// feed is an input that gives what comes from a channel; closing it ends the input.
type feed struct {
	rows    chan []flow
	asct    bool                                                              // give the keys that only conntrack knows
	patient bool                                                              // wait for room, as a file does
	other   func(p *engine.Binder) func(b *engine.Batch, r engine.Row, i int) // bind and write rows of another kind instead
	left    []flow
	write   func(b *engine.Batch, r engine.Row, f *flow)
}

func (f *feed) Options(*engine.Options) {}

// Counts implements engine.Counting: conntrack's own counters are totals.
func (f *feed) Counts() engine.Counts {
	if f.asct {
		return engine.CountsTotal
	}
	return engine.CountsDelta
}

func (f *feed) Backpressure() bool { return f.patient }

func (f *feed) Read(b *engine.Batch, deadline time.Time) error {
	if len(f.left) == 0 {
		select {
		case rows, ok := <-f.rows:
			if !ok {
				return io.EOF
			}
			f.left = rows
		case <-time.After(time.Until(deadline)):
			return nil
		}
	}
	n := min(len(f.left), engine.BatchSize)
	for i := range n {
		f.write(b, engine.Row(i), &f.left[i])
	}
	f.left = f.left[n:]
	b.Fill(n)
	return nil
}

func (f *feed) Bind(p *engine.Binder) {
	if f.other != nil {
		write := f.other(p)
		f.write = func(b *engine.Batch, r engine.Row, w *flow) { write(b, r, int(w.id)) }
		return
	}
	addrs, family, ports, icmp := p.Group(), p.Group(), p.Group(), p.Group()
	counters, reply, start, end := p.Group(), p.Group(), p.Group(), p.Group()
	ct, state, labels, zone, helper, shape := p.Group(), p.Group(), p.Group(), p.Group(), p.Group(), p.Group()
	route, iface, vlan, macs, rtimes := p.Group(), p.Group(), p.Group(), p.Group(), p.Group()

	fam := engine.Give(p, family, key.OOBFamily)
	src, dst, proto := engine.Give(p, addrs, key.OrigSaddr), engine.Give(p, addrs, key.OrigDaddr), engine.Give(p, addrs, key.OrigProtocol)
	sport, dport := engine.Give(p, ports, key.OrigSport), engine.Give(p, ports, key.OrigDport)
	rsrc, rdst := engine.Give(p, reply, key.ReplySaddr), engine.Give(p, reply, key.ReplyDaddr)
	rsport, rdport := engine.Give(p, ports, key.ReplySport), engine.Give(p, ports, key.ReplyDport)
	it, ic := engine.Give(p, icmp, key.ICMPType), engine.Give(p, icmp, key.ICMPCode)
	pk, oc := engine.Give(p, counters, key.OrigPackets), engine.Give(p, counters, key.OrigOctets)
	rpk, roc := engine.Give(p, counters, key.ReplyPackets), engine.Give(p, counters, key.ReplyOctets)
	st, en := engine.Give(p, start, key.FlowStart), engine.Give(p, end, key.FlowEnd)
	var mark, id, event engine.Col[uint32]
	var tcp engine.Col[uint8]
	var lab engine.Col[engine.Label]
	var zn engine.Col[uint16]
	var help engine.Col[engine.String]
	var rec engine.Col[bool]
	var tos, rtos engine.Col[uint8]
	var flags, rflags engine.Col[uint16]
	var rst, ren engine.Col[engine.Time]
	if f.asct {
		mark, id, event = engine.Give(p, ct, key.CTMark), engine.Give(p, ct, key.CTID), engine.Give(p, ct, key.CTEvent)
		tcp, rec = engine.Give(p, state, key.CTTCPState), engine.Give(p, ct, key.CTRecovered)
		lab, zn, help = engine.Give(p, labels, key.CTLabels), engine.Give(p, zone, key.CTZone), engine.Give(p, helper, key.CTHelper)
	} else {
		tos, rtos = engine.Give(p, shape, key.OrigTOS), engine.Give(p, shape, key.ReplyTOS)
		flags, rflags = engine.Give(p, shape, key.OrigTCPFlags), engine.Give(p, shape, key.ReplyTCPFlags)
		rst, ren = engine.Give(p, rtimes, key.ReplyStart), engine.Give(p, rtimes, key.ReplyEnd)
	}
	hop, spl, dpl := engine.Give(p, route, key.RouteNextHop), engine.Give(p, route, key.RouteSrcPlen), engine.Give(p, route, key.RouteDstPlen)
	in, out := engine.Give(p, iface, key.OOBIfIn), engine.Give(p, iface, key.OOBIfOut)
	vl := engine.Give(p, vlan, key.OOBVLAN)
	sm, dm := engine.Give(p, macs, key.OrigMACSaddr), engine.Give(p, macs, key.OrigMACDaddr)

	f.write = func(b *engine.Batch, r engine.Row, w *flow) {
		h := family.Mask() | addrs.Mask()
		if w.withoutAddresses {
			h = 0
		}
		s, d := address(w.src), address(w.dst)
		fam.Of(b)[r] = engine.FamilyIPv4
		if s.Is6() {
			fam.Of(b)[r] = engine.FamilyIPv6
		}
		src.Of(b)[r], dst.Of(b)[r], proto.Of(b)[r] = engine.AddrFrom(s), engine.AddrFrom(d), w.proto
		if !w.noReplyTuple {
			h |= reply.Mask()
			rsrc.Of(b)[r], rdst.Of(b)[r] = engine.AddrFrom(d), engine.AddrFrom(s)
			if w.rsrc != "" {
				rsrc.Of(b)[r] = engine.AddrFrom(address(w.rsrc))
			}
			if w.rdst != "" {
				rdst.Of(b)[r] = engine.AddrFrom(address(w.rdst))
			}
		}
		if w.ports || w.sport != 0 || w.dport != 0 {
			h |= ports.Mask()
			sport.Of(b)[r], dport.Of(b)[r] = w.sport, w.dport
			rsport.Of(b)[r], rdport.Of(b)[r] = w.dport, w.sport
			if w.rsport != 0 {
				rsport.Of(b)[r] = w.rsport
			}
			if w.rdport != 0 {
				rdport.Of(b)[r] = w.rdport
			}
		}
		if w.icmp {
			h |= icmp.Mask()
			it.Of(b)[r], ic.Of(b)[r] = w.icmpType, 0
		}
		if !w.noCounters {
			h |= counters.Mask()
			pk.Of(b)[r], oc.Of(b)[r], rpk.Of(b)[r], roc.Of(b)[r] = w.pkts, w.octets, w.rpkts, w.roctets
		}
		if w.start != 0 {
			h |= start.Mask()
			st.Of(b)[r] = engine.Time(w.start)
		}
		if w.end != 0 {
			h |= end.Mask()
			en.Of(b)[r] = engine.Time(w.end)
		}
		if f.asct {
			h |= ct.Mask()
			mark.Of(b)[r], id.Of(b)[r], event.Of(b)[r], rec.Of(b)[r] = w.mark, w.id, w.event, w.recovered
			if w.event == 0 {
				event.Of(b)[r] = 4
			}
			if w.tcpState != 0 {
				h |= state.Mask()
				tcp.Of(b)[r] = w.tcpState
			}
			if w.labels {
				h |= labels.Mask()
				lab.Of(b)[r] = engine.Label{1, 2, 3}
			}
			if w.zone != 0 {
				h |= zone.Mask()
				zn.Of(b)[r] = w.zone
			}
			if w.helper != "" {
				h |= helper.Mask()
				help.Of(b)[r] = engine.String(b.AddText([]byte(w.helper)))
			}
		} else {
			if w.shaped {
				h |= shape.Mask()
				tos.Of(b)[r], rtos.Of(b)[r], flags.Of(b)[r], rflags.Of(b)[r] = w.tos, w.rtos, w.flags, w.rflags
			}
			if w.rstart != 0 {
				h |= rtimes.Mask()
				rst.Of(b)[r], ren.Of(b)[r] = engine.Time(w.rstart), engine.Time(w.rend)
			}
		}
		if w.routed {
			h |= route.Mask()
			hop.Of(b)[r], spl.Of(b)[r], dpl.Of(b)[r] = engine.AddrFrom(address(w.nexthop)), w.splen, w.dplen
		}
		if w.ifin != 0 || w.ifout != 0 {
			h |= iface.Mask()
			in.Of(b)[r], out.Of(b)[r] = w.ifin, w.ifout
		}
		if w.vlan != 0 {
			h |= vlan.Mask()
			vl.Of(b)[r] = w.vlan
		}
		if w.macs {
			h |= macs.Mask()
			sm.Of(b)[r], dm.Of(b)[r] = w.smac, w.dmac
		}
		b.Have()[r] = h
	}
}

func address(s string) netip.Addr {
	if s == "" {
		return netip.IPv4Unspecified()
	}
	return netip.MustParseAddr(s)
}

// rig is a running stack feed:FEED,ipfix1:IPFIX.
type rig struct {
	t    testing.TB
	feed *feed
	out  *engine.Instance
	m    *engine.Machine
	in   *engine.Instance
	log  transcript
}

// transcript is what somebody says while others listen.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start builds, opens and starts the stack; set gives the output's options as words, name and value
// by turns.
func start(t testing.TB, f *feed, set ...string) *rig {
	t.Helper()
	r := build(t, f, set...)
	if err := r.m.Open(); err != nil {
		t.Fatal(err)
	}
	r.m.Start()
	t.Cleanup(func() { r.stop() })
	return r
}

func build(t testing.TB, f *feed, set ...string) *rig {
	t.Helper()
	r, problems := tryBuild(t, f, set...)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return r
}

// tryBuild returns what is wrong with settings or stack.
func tryBuild(t testing.TB, f *feed, set ...string) (*rig, []string) {
	t.Helper()
	if f.rows == nil {
		f.rows = make(chan []flow)
	}
	r := &rig{t: t, feed: f}
	r.in = engine.NewInstance(&engine.Plugin{Name: "FEED", Input: func() engine.Input { return f }}, "feed")
	p, _ := engine.Default.Lookup(engine.OutputKind, "IPFIX")
	r.out = engine.NewInstance(p, "ipfix1")
	set = append([]string{"enterprise", "true"}, set...) // flows are told apart by their marks
	for i := 0; i < len(set); i += 2 {
		opt, ok := r.out.Options.Lookup(set[i])
		if !ok {
			t.Fatalf("no option %s", set[i])
		}
		if _, err := opt.Set(engine.Value{Kind: value.Word, Text: set[i+1]}); err != nil {
			return nil, []string{set[i] + ": " + err.Error()}
		}
	}
	if err := r.out.Validate(); err != nil {
		return nil, []string{err.Error()}
	}
	m, problems := engine.Build(slog.New(slog.NewTextHandler(&r.log, nil)), []engine.StackSpec{{Name: "feed:FEED,ipfix1:IPFIX", Instances: []*engine.Instance{r.in, r.out}}})
	var texts []string
	for _, e := range problems {
		texts = append(texts, e.Text)
	}
	r.m = m
	return r, texts
}

// give hands rows to the input and returns when it has them.
func (r *rig) give(rows ...flow) {
	r.t.Helper()
	select {
	case r.feed.rows <- rows:
	case <-time.After(30 * time.Second):
		r.t.Fatal("the input did not take rows")
	}
}

// end lets the input end and waits for the stack to flush.
func (r *rig) end() {
	r.t.Helper()
	close(r.feed.rows)
	select {
	case <-r.m.Ended():
	case <-time.After(time.Minute):
		r.t.Fatal("the stack did not end")
	}
	r.m.Wait()
	r.m = nil
	r.balanced()
}

func (r *rig) stop() {
	if r.m != nil {
		r.m.Stop(100 * time.Millisecond)
		r.m.Wait()
		r.m = nil
	}
}

// stats reads the output's counters.
func (r *rig) stats() *engine.Stats { return r.out.Stats }

// balanced checks that every record is accounted for.
func (r *rig) balanced() {
	r.t.Helper()
	s := r.out.Stats
	dropped := int64(0)
	for _, name := range []string{"record_too_big", "no_template", "ipv6_without_template", "buffer_full", "collector_away", "spool_full", "spool_damaged", "spool_foreign", "spool_failed"} {
		dropped += s.Drop(name, "").Load()
	}
	in, out := s.In.Load()+s.Made.Load(), s.Out.Load()+s.Filtered.Load()+s.Held.Load()+dropped
	if in != out {
		r.t.Errorf("records: in %d + made %d, but out %d + filtered %d + held %d + dropped %d", s.In.Load(), s.Made.Load(), s.Out.Load(), s.Filtered.Load(), s.Held.Load(), dropped)
	}
}

// listenUDP is a collector of datagrams.
// listenUDP is for the machine itself: an emulator of the other byte order hands the length of segments
// (UDP_SEGMENT) to the kernel as it is, so that messages of one write arrive as one. Sessions over TCP
// are for all machines.
func listenUDP(t testing.TB) *net.UDPConn {
	t.Helper()
	nstest.Need(t, "native")
	return stacktest.ListenUDP(t)
}

// datagram reads the next one.
func datagram(t testing.TB, c *net.UDPConn) []byte {
	t.Helper()
	buf := make([]byte, 65536)
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

func contains(texts []string, part string) bool {
	return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, part) })
}
