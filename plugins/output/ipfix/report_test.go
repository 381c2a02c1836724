package ipfix

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"ulogd/engine"
)

func TestOptionsRecords(t *testing.T) {
	c := listenUDP(t)
	r := start(t, &feed{asct: true}, "host", c.LocalAddr().String(), "proto", "udp", "oid", "77", "options_interval", "500ms", "flush_interval", "20ms", "template_refresh", "300ms", "max_templates", "12", "enterprise", "true")
	flows := numbered(0, 3)
	flows[1].src, flows[1].dst = "2001:db8::1", "2001:db8::2"
	flows[2].src, flows[2].zone, flows[2].sport, flows[2].ports, flows[2].dport, flows[2].tcpState, flows[2].icmp = "10.9.9.9", 5, 0, false, 0, 7, true
	flows[2].labels = true
	r.in.Stats.Lost("kernel", "packets that the kernel could not deliver").Add(5)
	r.give(flows...)
	s := newSession()
	types, keys := map[uint64]decodedRecord{}, map[uint64]uint64{}
	var figures, notSent, ignored []decodedRecord
	loopback := false
	for len(figures) < 3 || len(keys) < 3 || len(types) < 3 || !loopback {
		for _, rec := range s.must(t, datagram(t, c)) {
			switch {
			case rec.scope == 0:
			case rec.has(0, 303):
				types[rec.uint(0, 303)] = rec
			case rec.has(0, 173):
				keys[rec.uint(0, 145)] = rec.uint(0, 173)
			case rec.has(0, 41):
				figures = append(figures, rec)
			case rec.has(0, 166):
				notSent = append(notSent, rec)
			case rec.has(0, 164):
				ignored = append(ignored, rec)
			case rec.has(0, 82):
				loopback = loopback || string(rec.values[engine.IE{ID: 82}]) == "lo" && rec.uint(0, 10) == 1
			}
		}
	}
	r.end()
	mark := types[4]
	if mark.uint(0, 346) != 21373 || string(mark.values[engine.IE{ID: 341}]) != "ct.mark" || mark.uint(0, 339) != 3 || mark.uint(0, 344) != 4 {
		t.Errorf("ct.mark is described as %q", mark.values)
	}
	for id, bits := range keys { // addresses and, behind them, ports or ICMP's type, protocol
		tpl := s.templates[uint16(id)]
		for i, e := range tpl.elements {
			want := false
			switch e.ID {
			case 8, 12, 27, 28, 7, 11, 32, 139, 4:
				want = e.PEN == 0
			}
			if bits>>i&1 == 1 != want {
				t.Errorf("template %d: field %d (%v) is a flow key: %v", id, i, e.IE, !want)
			}
		}
	}
	last := figures[len(figures)-1]
	if last.uint(0, 149) != 77 || last.uint(0, 41) == 0 || last.uint(0, 42) < 3 || last.uint(0, 40) < 100 {
		t.Errorf("statistics are %v", last.values)
	}
	if len(notSent) == 0 || notSent[0].uint(0, 166) != 0 || notSent[0].uint(0, 152) != 0 {
		t.Errorf("nothing was dropped, but it is said that %v", notSent)
	}
	if now := ignored[len(ignored)-1]; now.uint(0, 164) != 5 || now.uint(0, 153) < uint64(time.Now().UnixMilli()-60e3) {
		t.Errorf("five packets were lost, but it is said that %v", now.values)
	}
}

// TestNotSent lets a collector stall until records are dropped, and then reads what it is told
// about them.
func TestNotSent(t *testing.T) {
	c := listenTCP(t)
	r := start(t, &feed{asct: true}, "host", c.addr, "buffer", "1MiB", "flush_interval", "20ms", "options_interval", "100ms")
	conn := c.accept()
	conn.(*net.TCPConn).SetReadBuffer(64 << 10)
	dropped := r.stats().Drop("buffer_full", "")
	for n := 0; dropped.Load() == 0; n += 250 {
		r.give(numbered(n, 250)...)
	}
	r.give() // the one before has been consumed
	s, n := newSession(), uint64(dropped.Load())
	for told := uint64(0); told < n; {
		msg, err := readMessage(conn)
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range s.must(t, msg) {
			if rec.has(0, 166) {
				told = rec.uint(0, 166)
				if rec.uint(0, 167) != told || rec.uint(0, 168) != 60*told { // each of a packet of 60 octets
					t.Errorf("%d records that were not sent have %d packets and %d octets", told, rec.uint(0, 167), rec.uint(0, 168))
				}
			}
		}
	}
	go io.Copy(io.Discard, conn)
	r.end()
}

// TestSampling asks for nothing but the announcement of sampling, which comes in each way that a
// collector may read and without records of another kind.
func TestSampling(t *testing.T) {
	c := listenUDP(t)
	r := start(t, &feed{asct: true}, "host", c.LocalAddr().String(), "proto", "udp", "sampling", "64", "oid", "7", "flush_interval", "20ms")
	s, told, flows := newSession(), map[string]bool{}, 0
	r.give(numbered(0, 1)...)
	for flows == 0 {
		for _, rec := range s.must(t, datagram(t, c)) {
			if rec.scope == 0 {
				flows++
				continue
			}
			kind := ""
			for _, e := range rec.order {
				kind += fmt.Sprintf("%d=%d ", e.ID, rec.uint(0, e.ID))
			}
			told[kind] = true
		}
	}
	for _, want := range []string{
		"302=1 304=1 305=1 306=63 ", "302=1 305=1 306=63 ", // one is taken, 63 are left out
		"149=7 34=64 35=1 ", "149=7 34=64 ", "149=7 48=1 49=1 50=64 ",
	} {
		if !told[want] {
			t.Errorf("nothing says %s: %v", want, told)
		}
		delete(told, want)
	}
	if len(told) > 0 {
		t.Errorf("sampling alone was asked for, and there is %v", told)
	}
	r.end()
	if _, problems := tryBuild(t, &feed{}, "host", "127.0.0.1", "sampling", "64", "options_interval", "0"); !contains(problems, "options_interval") {
		t.Errorf("sampling without options records: %q", problems)
	}
}
