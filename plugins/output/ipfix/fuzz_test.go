package ipfix

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	netflow "github.com/netsampler/goflow2/v2/decoders/netflow"

	"ulogd/engine"
	"ulogd/plugins/output/export"
	"ulogd/plugins/output/export/collector"
)

// FuzzEncode writes random flows, of every mixture of keys, in messages of random length, and reads
// them back with the strict decoder and with goflow2's: each element must be there exactly if it
// can be, with the value that went in.
func FuzzEncode(f *testing.F) {
	for seed := range uint64(12) {
		f.Add(seed, uint8(seed%3), seed%2 == 0, uint16(484+seed*97), uint8(seed%4))
	}
	f.Fuzz(func(t *testing.T, seed uint64, direction uint8, asct bool, limit uint16, announce uint8) {
		rng := rand.New(rand.NewPCG(seed, 0))
		flows := make([]flow, 1+rng.IntN(engine.BatchSize))
		for i := range flows {
			flows[i] = randomFlow(rng, uint32(i), asct)
		}
		dir := []string{"uniflow", "biflow", "sum"}[direction%3]
		set := map[string]string{"direction": dir}
		if announce%2 == 1 {
			set["send_template"] = "always"
		}
		if asct {
			set["enterprise"] = "true"
		}
		if asct && announce >= 2 {
			set["fields"] = "ct.id,ct.helper,sourceIPv4Address,destinationIPv4Address,sourceIPv6Address,destinationIPv6Address,octetTotalCount,octetDeltaCount,flowStartMilliseconds"
		}
		var messages [][]byte
		noTemplate := 0
		onBatch(t, asct, flows, set, func(s *stage, b *engine.Batch) {
			w := s.o.packers[0]
			w.Limit = max(int(limit), 512)
			res := s.encoder.Encode(b, b.Rows(), w)
			w.Finish()
			sent, told := uint32(0), res.Lost
			w.Take(func(msg []byte, m collector.Mark) {
				if len(msg) > w.Limit {
					t.Errorf("message of %d octets, limit %d", len(msg), w.Limit)
				}
				for _, ahead := range s.o.templates.TemplateMessages(m.Needs&^m.Brings, 65535) {
					if announce%2 == 0 && len(messages) == 0 {
						stamp(ahead, sent)
						messages = append(messages, ahead)
					}
				}
				told.Add(s.o.templates.Content(msg))
				msg = bytes.Clone(msg)
				stamp(msg, sent)
				sent += uint32(m.Records)
				messages = append(messages, msg)
			})
			if int(sent) != b.Len()+res.Second-res.NoTemplate-res.TooBig {
				t.Errorf("%d records in messages, but %d rows + %d second - %d - %d", sent, b.Len(), res.Second,
					res.NoTemplate, res.TooBig)
			}
			if want := content(flows, b.Len()+res.Second); set["fields"] == "" && told != want {
				t.Errorf("messages and losses amount to %+v, want %+v", told, want)
			}
			noTemplate = res.NoTemplate
			if noTemplate > 0 && len(s.o.templates.List()) < 64 {
				t.Errorf("%d records without a template, though there are only %d", noTemplate, len(s.o.templates.List()))
			}
			if res.TooBig > 0 {
				t.Errorf("%d records found no place", res.TooBig)
			}
			s.o.Env().Stats.Filtered.Add(b.Len())
		})
		s, other := newSession(), netflow.CreateTemplateSystem()
		var records []decodedRecord
		for _, msg := range messages {
			got := s.must(t, msg)
			var p netflow.IPFIXPacket
			if err := netflow.DecodeMessageVersion(bytes.NewBuffer(msg), other, nil, &p); err != nil {
				t.Fatalf("goflow2: %v\n%x", err, msg)
			}
			if n := goflowRecords(p); n != len(got) {
				t.Fatalf("goflow2 reads %d records, the strict decoder %d", n, len(got))
			}
			records = append(records, got...)
		}
		if set["fields"] == "" {
			compareAll(t, flows, records, noTemplate, dir, asct)
		}
	})
}

// content is what flows amount to, modulo 2^64.
func content(flows []flow, records int) export.Content {
	c := export.Content{Records: uint64(records)}
	for _, f := range flows {
		if !f.noCounters {
			c.Add(export.Content{Packets: f.pkts + f.rpkts, Octets: f.octets + f.roctets})
		}
	}
	return c
}

func stamp(msg []byte, seq uint32) {
	p := &peer{o: &output{}}
	p.Stamp(msg, collector.Position{Records: seq}, time.Now())
}

func goflowRecords(p netflow.IPFIXPacket) (n int) {
	for _, fs := range p.FlowSets {
		if d, ok := fs.(netflow.DataFlowSet); ok {
			n += len(d.Records)
		}
	}
	return n
}

func randomFlow(rng *rand.Rand, id uint32, asct bool) flow {
	one := func(n int) bool { return rng.IntN(n) == 0 }
	f := flow{
		id: id, src: fmt.Sprintf("10.0.%d.%d", id>>8, id&255), dst: "192.0.2.1", proto: 6, mark: rng.Uint32(), event: 4,
		pkts: rng.Uint64(), octets: rng.Uint64(), start: rng.Int64(), end: rng.Int64(),
	}
	if one(3) {
		f.src, f.dst = fmt.Sprintf("2001:db8::%x", id), "2001:db8:1::1"
	}
	switch {
	case one(6):
		f.proto, f.icmp, f.icmpType = 1, true, 8
	case !one(5):
		f.ports, f.sport, f.dport = true, uint16(rng.Uint32()), uint16(rng.Uint32())
	}
	if !one(3) {
		f.rpkts, f.roctets = 1+rng.Uint64N(1<<40), rng.Uint64()
	}
	f.noCounters = one(8)
	if one(4) {
		f.start = 0
	}
	if one(5) && !strings.Contains(f.src, ":") {
		f.rdst, f.rdport = "198.51.100.7", uint16(1+rng.IntN(65535))
		if !f.ports {
			f.rdport = 0
		}
	}
	if one(4) {
		f.ifin, f.ifout = rng.Uint32()|1, rng.Uint32()
	}
	if one(6) {
		f.vlan = uint16(1 + rng.IntN(4094))
	}
	if one(6) {
		f.macs, f.smac, f.dmac = true, engine.MAC{2, 0, 0, 0, 0, 1}, engine.MAC{2, 0, 0, 0, 0, 2}
	}
	if one(5) {
		f.routed, f.splen, f.dplen = true, uint8(rng.IntN(33)), uint8(rng.IntN(33))
		f.nexthop = "10.9.9.9"
		if strings.Contains(f.src, ":") {
			f.nexthop = "fe80::1"
		}
	}
	if asct {
		f.tcpState = uint8(rng.IntN(9))
		f.labels, f.recovered = one(4), one(9)
		if one(4) {
			f.zone = uint16(1 + rng.IntN(65535))
		}
		if one(7) {
			f.helper = string([]byte{'f', byte(rng.IntN(256)), byte(rng.IntN(256))})
		}
	} else if one(2) {
		f.shaped, f.tos, f.rtos, f.flags, f.rflags = true, uint8(rng.Uint32()), uint8(rng.Uint32()), uint16(rng.IntN(4096)), uint16(rng.IntN(4096))
	}
	return f
}

// compareAll matches records with flows, by the source address that names each, and compares every
// element.
func compareAll(t *testing.T, flows []flow, records []decodedRecord, noTemplate int, dir string, asct bool) {
	t.Helper()
	want := map[string]int{}
	var expected []map[engine.IE]string
	for i := range flows {
		f := &flows[i]
		twoWay := f.rpkts > 0 && !f.noCounters
		add := func(back bool) {
			e := expect(f, back, dir, asct, twoWay)
			want[canon(e)]++
			expected = append(expected, e)
		}
		add(false)
		if dir == "uniflow" && twoWay {
			add(true)
		}
	}
	for _, r := range records {
		got := map[engine.IE]string{}
		for ie, v := range r.values {
			got[ie] = fmt.Sprintf("%x", v)
		}
		c := canon(got)
		if want[c] == 0 {
			t.Fatalf("record that nobody sent:\n%s\nfirst expected:\n%s", c, canon(expected[0]))
		}
		want[c]--
	}
	if len(records) != len(expected)-noTemplate {
		t.Fatalf("%d records, want %d", len(records), len(expected)-noTemplate)
	}
}

func canon(m map[engine.IE]string) string {
	keys := slices.SortedFunc(maps.Keys(m), func(a, b engine.IE) int { return cmp.Or(cmp.Compare(a.PEN, b.PEN), cmp.Compare(a.ID, b.ID)) })
	var s strings.Builder
	for _, k := range keys {
		if mayBeZero[k] && strings.Trim(m[k], "0") == "" {
			continue // the record took a wider template because there were 64 already
		}
		fmt.Fprintf(&s, "%v=%s ", k, m[k])
	}
	return s.String()
}

// mayBeZero are elements whose zero says no more than their absence.
var mayBeZero = map[engine.IE]bool{
	{ID: 1}: true, {ID: 2}: true, {ID: 85}: true, {ID: 86}: true, {ID: 10}: true, {ID: 14}: true, {ID: 15}: true, {ID: 62}: true, {ID: 58}: true, {ID: 148}: true,
	{PEN: 21373, ID: 4}: true, {PEN: 21373, ID: 1004}: true, {PEN: 21373, ID: 1005}: true,
	{PEN: 29305, ID: 1}: true, {PEN: 29305, ID: 2}: true, {PEN: 29305, ID: 85}: true, {PEN: 29305, ID: 86}: true,
}

// expect says, in terms of the RFCs alone, what a record of a flow holds.
func expect(f *flow, back bool, dir string, asct, twoWay bool) map[engine.IE]string {
	m := map[engine.IE]string{}
	put := func(id uint16, octets int, v uint64) {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], v)
		m[engine.IE{ID: id}] = fmt.Sprintf("%x", b[8-octets:])
	}
	penPut := func(pen uint32, id uint16, octets int, v uint64) {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], v)
		m[engine.IE{PEN: pen, ID: id}] = fmt.Sprintf("%x", b[8-octets:])
	}
	or := func(a, b string) string {
		if a == "" {
			return b
		}
		return a
	}
	or16 := func(a, b uint16) uint16 {
		if a == 0 {
			return b
		}
		return a
	}
	six := strings.Contains(f.src, ":")
	ip := func(id4, id6 uint16, s string) {
		a := netip.MustParseAddr(s)
		id := id4
		if six {
			id = id6
		}
		m[engine.IE{ID: id}] = fmt.Sprintf("%x", a.AsSlice())
	}
	osrc, odst, rsrc, rdst := f.src, f.dst, or(f.rsrc, f.dst), or(f.rdst, f.src)
	osp, odp, rsp, rdp := f.sport, f.dport, or16(f.rsport, f.dport), or16(f.rdport, f.sport)
	translated := osrc != rdst || odst != rsrc || f.ports && (osp != rdp || odp != rsp)
	pkts, octets, in, out, tos, flags := f.pkts, f.octets, f.ifin, f.ifout, f.tos, f.flags
	spl, dpl, smac, dmac := f.splen, f.dplen, f.smac, f.dmac
	src, dst, sp, dp, psrc, pdst, psp, pdp := osrc, odst, osp, odp, rdst, rsrc, rdp, rsp
	if back {
		src, dst, sp, dp, psrc, pdst, psp, pdp = rsrc, rdst, rsp, rdp, odst, osrc, odp, osp
		pkts, octets, in, out, tos, flags = f.rpkts, f.roctets, f.ifout, f.ifin, f.rtos, f.rflags
		spl, dpl, smac, dmac = f.dplen, f.splen, f.dmac, f.smac
	}
	ip(8, 27, src)
	ip(12, 28, dst)
	put(4, 1, uint64(f.proto))
	if f.ports {
		put(7, 2, uint64(sp))
		put(11, 2, uint64(dp))
	}
	if f.icmp {
		id, typ := uint16(32), f.icmpType
		if six {
			id = 139
		}
		if back {
			typ = 0 // echo reply
		}
		put(id, 2, uint64(typ)<<8)
	}
	if translated {
		ip(225, 281, psrc)
		ip(226, 282, pdst)
		if f.ports {
			put(227, 2, uint64(psp))
			put(228, 2, uint64(pdp))
		}
	}
	octetID, packetID := uint16(1), uint16(2)
	if asct {
		octetID, packetID = 85, 86
	}
	if !f.noCounters {
		if dir == "sum" {
			pkts, octets = f.pkts+f.rpkts, f.octets+f.roctets
		}
		put(octetID, 8, octets)
		put(packetID, 8, pkts)
		if dir == "biflow" && twoWay {
			penPut(29305, octetID, 8, f.roctets)
			penPut(29305, packetID, 8, f.rpkts)
		}
	}
	if f.start != 0 {
		put(152, 8, uint64(f.start/1e6))
	}
	if f.end != 0 {
		put(153, 8, uint64(f.end/1e6))
	}
	if f.ifin != 0 || f.ifout != 0 {
		put(10, 4, uint64(in))
		put(14, 4, uint64(out))
	}
	if f.vlan != 0 {
		put(58, 2, uint64(f.vlan))
	}
	if f.macs {
		m[engine.IE{ID: 56}], m[engine.IE{ID: 80}] = fmt.Sprintf("%x", smac[:]), fmt.Sprintf("%x", dmac[:])
	}
	if f.routed {
		if !back {
			ip(15, 62, f.nexthop)
		}
		id := [2]uint16{9, 13}
		if six {
			id = [2]uint16{29, 30}
		}
		put(id[0], 1, uint64(spl))
		put(id[1], 1, uint64(dpl))
	}
	if !asct {
		if f.shaped {
			put(5, 1, uint64(tos))
			put(6, 1, uint64(flags))
			if dir == "biflow" && twoWay {
				penPut(29305, 5, 1, uint64(f.rtos))
				penPut(29305, 6, 1, uint64(f.rflags))
			}
		}
		return m
	}
	why := uint64(1)
	switch {
	case f.recovered:
		why = 5
	case f.tcpState == 6 || f.tcpState == 7 || f.tcpState == 8:
		why = 3
	}
	put(136, 1, why)
	put(148, 8, uint64(f.id))
	penPut(21373, 4, 4, uint64(f.mark))
	if f.zone != 0 {
		penPut(21373, 1004, 2, uint64(f.zone))
	}
	if f.labels {
		l := engine.Label{1, 2, 3}
		m[engine.IE{PEN: 21373, ID: 1005}] = fmt.Sprintf("%x", l[:])
	}
	return m
}
