package nfct

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/input/netlink/mmsg"
	"ulogd/plugins/input/nfct/ctnetlink"
	"ulogd/plugins/input/nfct/lastpacket"
	"ulogd/test/cttest"
	"ulogd/test/nstest"
)

// TestBeginningsOfTranslations: where somebody asks for them, each translated connection has one
// record of its beginning, also if its event comes twice or not at all.
func TestBeginningsOfTranslations(t *testing.T) {
	translated := func(event uint8, id uint32) cttest.Message {
		c := udp(event, id)
		c.Rdst, c.Status = "203.0.113.9", 1<<4
		return c
	}
	s := playWith(t, nil, func(s *script) { s.n.begun = true })
	s.send(
		udp(key.EventNew, 1),
		translated(key.EventNew, 2),
		translated(key.EventNew, 2),
		translated(key.EventUpdate, 2),
		translated(key.EventUpdate, 3),
		udp(key.EventDestroy, 1),
		translated(key.EventDestroy, 2),
	)
	lines := s.stop()
	if len(lines) != 3 {
		t.Fatalf("records %q", lines)
	}
	s.want(0, "ct.event=1", "ct.id=2", "reply.ip.daddr=203.0.113.9")
	s.want(1, "ct.event=4", "ct.id=1")
	s.want(2, "ct.event=4", "ct.id=2")
}

// TestBeginningsThatADumpFinds: a dump shows those whose event was lost.
func TestBeginningsThatADumpFinds(t *testing.T) {
	found := func(id uint32, start uint64, status uint32) ctnetlink.Flow {
		c := udp(key.EventNew, id)
		c.Dumped, c.Start, c.Status = true, start, status
		return cttest.Decoded(t, c.Bytes())
	}
	begun := func(n *nfct) { n.begun, n.joined = true, 100 }
	inDump(t, begun, func(r *reader) {
		for _, c := range []struct {
			why  purpose
			conn ctnetlink.Flow
			rows int // so far
		}{
			{forStart, found(1, 99, 1<<4), 0},    // older than this instance
			{forRecovery, found(1, 99, 1<<4), 0}, // the same again
			{forRecovery, found(2, 101, 1<<5), 1},
			{forRecovery, found(2, 101, 1<<5), 1},
			{forReset, found(3, 101, 1<<4), 2}, // its counters
			{forPoll, found(4, 101, 1<<4), 3},
			{forPoll, found(5, 101, 0), 3},
		} {
			r.dumped(&c.conn, c.why, 1000)
			if r.Count != c.rows {
				t.Errorf("%+v: %d rows, want %d", c, r.Count, c.rows)
			}
		}
	})
}

// TestReportsAfterTheClockWasSetBack: the intervals begin anew, and nobody waits for the time that
// was.
func TestReportsAfterTheClockWasSetBack(t *testing.T) {
	timeout := func(n *nfct) { n.activeTimeout = 60 * time.Second }
	inDump(t, timeout, func(r *reader) {
		for _, step := range []struct {
			at   int64 // seconds
			rows int   // so far
		}{{1000, 0}, {1061, 1}, {1100, 1}, {1122, 2}, {500, 3}, {520, 3}, {561, 4}} {
			f := cttest.Decoded(
				t,
				cttest.Message{
					Event:  key.EventUpdate,
					Dumped: true,
					Src:    "192.0.2.1",
					Dst:    "192.0.2.2",
					Proto:  6,
					ID:     1,
					Start:  1000 * lastpacket.Second,
				}.Bytes(),
			)
			r.dumped(&f, forReport, step.at*lastpacket.Second)
			if r.Count != step.rows {
				t.Errorf("at %d: %d rows, want %d", step.at, r.Count, step.rows)
			}
		}
	})
}

// TestNoRecordEndsBeforeItBegins: a clock that is set back while a connection lives gives its records
// no length below zero, which collectors take for 49 days or more; ulogd2 tells both times as they are.
func TestNoRecordEndsBeforeItBegins(t *testing.T) {
	for _, c := range []struct {
		compat             bool
		event              uint8
		began, ended, want int64 // seconds
	}{
		{false, key.EventUpdate, 1000, 500, 500},
		{false, key.EventDestroy, 1000, 500, 500},
		{false, key.EventDestroy, 400, 500, 400},
		{true, key.EventDestroy, 1000, 500, 1000},
	} {
		s := playWith(t, nil, func(s *script) {
			s.played.read = func(b *engine.Batch, _ time.Time) error {
				s.n.compat = c.compat
				r := reader{in: s.n, Filler: s.n.rows.Fill(b)}
				m := cttest.Message{Event: c.event, Src: "192.0.2.1", Dst: "192.0.2.2", Proto: 6, ID: 1}
				f := cttest.Decoded(t, m.Bytes())
				r.emit(&f, key.EndDetected, c.began*lastpacket.Second, c.ended*lastpacket.Second)
				r.finish()
				return io.EOF
			}
		})
		s.stop()
		got := strings.Join(s.lines, "")
		if !strings.Contains(got, fmt.Sprintf(" flow.start.sec=%d ", c.want)) ||
			!strings.Contains(got, fmt.Sprintf(" flow.end.sec=%d ", c.ended)) {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// inDump runs steps on a reader, as if a dump was being read.
func inDump(t *testing.T, change func(*nfct), steps func(r *reader)) {
	t.Helper()
	ran := false
	playWith(t, nil, func(s *script) {
		change(s.n)
		s.played.read = func(b *engine.Batch, _ time.Time) error {
			r := reader{in: s.n, Filler: s.n.rows.Fill(b)}
			steps(&r)
			r.finish()
			ran = true
			return io.EOF
		}
	}).stop()
	if !ran {
		t.Error("nothing was read")
	}
}

// TestDumpThatBreaksOff: the input lives on, and the next dump has a socket of its own.
func TestDumpThatBreaksOff(t *testing.T) {
	nstest.Need(t, "native") // an emulator has no netlink sockets
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	broken, err := mmsg.Detach(fd(null.Fd())) // receives nothing but errors
	if err != nil {
		t.Fatal(err)
	}
	inDump(t, func(n *nfct) {}, func(r *reader) {
		r.in.dump.Socket = ctnetlink.NewSocket(broken, 1, ctnetlink.PartSize)
		r.in.dump.why = forRecovery
		if r.dumpPart(); r.in.dump.why != idle || r.in.dump.Socket.Conn == broken || r.in.failedDumps.Load() != 1 {
			t.Errorf("state %d, %d failed dumps", r.in.dump.why, r.in.failedDumps.Load())
		}
	})
}
