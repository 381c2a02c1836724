package nfct

import (
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/engine/question"
	"ulogd/plugins/input/netlink/mmsg"
	"ulogd/plugins/input/netlink/nlattr"
	"ulogd/plugins/input/nfct/ctnetlink"
	"ulogd/plugins/input/nfct/lastpacket"
	"ulogd/plugins/input/nfct/table"
	"ulogd/test/cttest"
	"ulogd/test/stacktest"
)

// script plays the kernel: events are datagrams on socket pairs, and records come back as lines.
type script struct {
	t            testing.TB
	n            *nfct
	played       *played
	machine      *engine.Machine
	inst         *engine.Instance
	begins, ends int
	lines        []string
	stopped      bool
	log          stacktest.Log
}

// played is NFCT without a kernel behind it.
type played struct {
	*nfct
	open func(*engine.Env)
	read func(b *engine.Batch, deadline time.Time) error // unset: the instance's own
}

func (p *played) Read(b *engine.Batch, deadline time.Time) error {
	if p.read != nil {
		return p.read(b, deadline)
	}
	return p.nfct.Read(b, deadline)
}

func (p *played) Open(env *engine.Env) error {
	p.open(env)
	return nil
}

// keep is an output that keeps what it gets.
type keep struct{ to *[]string }

func (keep) Options(*engine.Options) {}

func (k keep) Bind(p *engine.Binder) engine.Stage {
	return &keepStage{k.to, p.All(func(engine.Field) bool { return true })}
}

type keepStage struct {
	to     *[]string
	fields []engine.Field
}

func (k *keepStage) Consume(b *engine.Batch) {
	for _, r := range b.Rows() {
		var parts []string
		for i := range k.fields {
			if f := &k.fields[i]; f.Has(b, r) {
				parts = append(parts, f.Name+"="+string(f.AppendText(nil, b, r)))
			}
		}
		*k.to = append(*k.to, strings.Join(parts, " ")+" ")
	}
}

// play starts NFCT; configure changes its settings.
func play(t testing.TB, configure func(*settings)) *script {
	t.Helper()
	return playWith(t, configure, nil)
}

// playWith is play that lets the test change the instance before it starts.
func playWith(t testing.TB, configure func(*settings), before func(*script)) *script {
	t.Helper()
	s := &script{t: t}
	pair := func() (*ctnetlink.Socket, int) {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		m, err := mmsg.Detach(fd(fds[0]))
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(fds[0])
		k := ctnetlink.NewSocket(m, mmsg.Most, ctnetlink.SlotSize)
		k.Granted = 1 << 20
		return k, fds[1]
	}
	input := &engine.Plugin{Name: "PLAYED", Input: func() engine.Input {
		n := &nfct{}
		s.n = n
		s.played = &played{nfct: n, open: func(env *engine.Env) {
			n.env, n.dump.why, n.listening = env, idle, true
			n.tally.open(env.Stats, n.hash, n.translated, n.filter.hidden)
			n.losses.open(env.Stats, n.hash)
			n.rows.Open("")
			h := table.NewHasher()
			n.ended = table.NewEnded(h, n.hashMax)
			if n.hash {
				n.table = table.New(n.hashMax, h)
			}
			n.hub = &hub{}
			n.member = &member{owner: n, parts: make(chan []byte, 1)}
			n.begins, s.begins = pair()
			n.ends, s.ends = pair()
		}}
		return s.played
	}}
	output := &engine.Plugin{Name: "KEEP", Output: func() engine.Output { return keep{&s.lines} }}
	s.inst = engine.NewInstance(input, "ct1")
	s.n.hashMax = 100
	if configure != nil {
		configure(&s.n.settings)
	}
	if before != nil {
		before(s)
	}
	if err := s.n.Validate(); err != nil {
		t.Fatal(err)
	}
	var problems []*engine.BuildError
	s.machine, problems = engine.Build(
		slog.New(&s.log),
		[]engine.StackSpec{{Name: "s", Instances: []*engine.Instance{s.inst, engine.NewInstance(output, "out")}}},
	)
	if len(problems) > 0 {
		t.Fatal(problems[0])
	}
	if err := s.machine.Open(); err != nil {
		t.Fatal(err)
	}
	s.machine.Start()
	t.Cleanup(func() {
		s.stop()
		unix.Close(s.begins)
		unix.Close(s.ends)
	})
	return s
}

// fd is a descriptor as Detach takes it.
type fd int

func (d fd) Control(f func(uintptr)) error    { f(uintptr(d)); return nil }
func (d fd) Read(f func(uintptr) bool) error  { return nil }
func (d fd) Write(f func(uintptr) bool) error { return nil }

// send plays events: ends on their socket, others on theirs.
func (s *script) send(events ...cttest.Message) {
	s.t.Helper()
	for _, e := range events {
		to := s.begins
		if e.Event == key.EventDestroy {
			to = s.ends
		}
		s.raw(to, e.Bytes())
		s.taken(to) // the order of a script is meant; the kernel has one by itself
	}
}

// taken waits until the input has read what was sent on a socket, and handled it.
func (s *script) taken(to int) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		unread, err := unix.IoctlGetInt(to, unix.SIOCOUTQ)
		if err != nil || time.Now().After(end) {
			s.t.Fatalf("%d octets are not read: %v", unread, err)
		}
		if unread == 0 {
			break
		}
	}
	// It is answered when the Read is over that took the last message.
	q, err := question.ParseFlows([]string{"limit=1"})
	if err == nil {
		_, err = q.Ask(s.t.Context(), s.machine, func(*question.Flow) error { return nil })
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *script) raw(to int, b []byte) {
	s.t.Helper()
	if err := unix.Send(to, b, 0); err != nil {
		s.t.Fatal(err)
	}
}

// stop ends the input, checks the sums and returns all records.
func (s *script) stop() []string {
	s.t.Helper()
	if s.stopped {
		return s.lines
	}
	s.stopped = true
	s.machine.Stop(5 * time.Second)
	if err := s.machine.Wait(); err != nil {
		s.t.Error(err)
	}
	for _, snap := range s.machine.Snapshot() {
		if snap.Open() != 0 {
			s.t.Errorf("%d records not accounted for: %+v", snap.Open(), snap)
		}
	}
	return s.lines
}

func (s *script) count(name string) int64 {
	for _, snap := range s.machine.Snapshot()[:1] {
		for _, list := range [][]engine.Reading{snap.Drops, snap.Counters} {
			for _, c := range list {
				if c.Name == name {
					return c.Value
				}
			}
		}
	}
	s.t.Errorf("there is no counter %s", name)
	return 0
}

func (s *script) want(i int, parts ...string) {
	s.t.Helper()
	if i >= len(s.lines) {
		s.t.Errorf("record %d is missing: %q", i, s.lines)
		return
	}
	for _, p := range parts {
		if !strings.Contains(s.lines[i], p+" ") {
			s.t.Errorf("record %d has no %s: %q", i, p, s.lines[i])
		}
	}
}

// udp is a connection without the kernel's time stamps.
func udp(event uint8, id uint32) cttest.Message {
	return cttest.Message{
		Event: event,
		Src:   "192.0.2.1",
		Dst:   "198.51.100.1",
		Proto: 17,
		Sport: 1000,
		Dport: 53,
		ID:    id,
	}
}

func TestEventsInEveryOrder(t *testing.T) {
	stamped := func(c cttest.Message, start, stop, stamp uint64) cttest.Message {
		c.Start, c.Stop, c.Stamp = start*lastpacket.Second, stop*lastpacket.Second, stamp*lastpacket.Second
		return c
	}
	for _, c := range []struct {
		name   string
		events []cttest.Message
		ends   int
		live   int
		check  func(s *script)
	}{
		{"an end never heard of", []cttest.Message{udp(key.EventDestroy, 1)}, 1, 0, func(s *script) {
			if strings.Contains(s.lines[0], "flow.start") {
				s.t.Errorf("a start from nowhere: %q", s.lines[0])
			}
		}},
		{"a beginning told twice", []cttest.Message{
			stamped(udp(key.EventNew, 1), 0, 0, 5),
			stamped(udp(key.EventNew, 1), 0, 0, 5), udp(key.EventDestroy, 1),
		}, 1, 0, func(s *script) {
			s.want(0, "flow.start.sec=5")
		}},
		{"the end before the beginning", []cttest.Message{udp(key.EventDestroy, 1), stamped(udp(key.EventNew, 1), 0, 0, 5)}, 1, 1, nil},
		{"a change of what is not known", []cttest.Message{udp(key.EventUpdate, 1), udp(key.EventDestroy, 1)}, 1, 0, nil},
		{"an identifier used again, its beginning read first", []cttest.Message{
			stamped(udp(key.EventNew, 1), 0, 0, 5), stamped(udp(key.EventNew, 1), 0, 0, 9), stamped(udp(key.EventDestroy, 1), 5, 8, 8), stamped(udp(key.EventDestroy, 1), 9, 12, 12),
		}, 2, 0, func(s *script) {
			s.want(0, "flow.start.sec=5", "flow.end.sec=8")
			s.want(1, "flow.start.sec=9", "flow.end.sec=12")
		}},
		{"a tuple used again", []cttest.Message{udp(key.EventNew, 1), udp(key.EventNew, 2), udp(key.EventDestroy, 1), udp(key.EventDestroy, 2)}, 2, 0, nil},
		{"the same end twice", []cttest.Message{
			stamped(udp(key.EventDestroy, 1), 5, 8, 8),
			stamped(udp(key.EventDestroy, 1), 5, 8, 8),
		}, 1, 0, func(s *script) {
			if s.count("duplicates") != 1 {
				s.t.Error("no duplicate counted")
			}
		}},
		{"a clock that steps back", []cttest.Message{
			stamped(udp(key.EventNew, 1), 0, 0, 100),
			stamped(udp(key.EventDestroy, 1), 100, 40, 40),
		}, 1, 0, func(s *script) {
			s.want(0, "flow.start.sec=40", "flow.end.sec=40")
		}},
		{
			"a kernel that does not stamp events, read late",
			[]cttest.Message{udp(key.EventNew, 1), stamped(udp(key.EventDestroy, 1), 5, 6, 0)},
			1, 0, func(s *script) {
				s.want(0, "flow.start.sec=5", "flow.end.sec=6")
			},
		},
		{"one tuple in two zones", []cttest.Message{
			{Event: key.EventNew, Src: "192.0.2.1", Dst: "192.0.2.2", Proto: 6, Sport: 1, Dport: 2, ID: 7, Zone: 1, Stamp: 5 * lastpacket.Second},
			{Event: key.EventNew, Src: "192.0.2.1", Dst: "192.0.2.2", Proto: 6, Sport: 1, Dport: 2, ID: 7, Zone: 2, Stamp: 6 * lastpacket.Second},
			{Event: key.EventDestroy, Src: "192.0.2.1", Dst: "192.0.2.2", Proto: 6, Sport: 1, Dport: 2, ID: 7, Zone: 2},
			{Event: key.EventDestroy, Src: "192.0.2.1", Dst: "192.0.2.2", Proto: 6, Sport: 1, Dport: 2, ID: 7, Zone: 1},
		}, 2, 0, func(s *script) {
			s.want(0, "ct.zone=2", "flow.start.sec=6")
			s.want(1, "ct.zone=1", "flow.start.sec=5")
		}},
		{"offloaded", []cttest.Message{{
			Event: key.EventDestroy, Src: "192.0.2.1", Dst: "192.0.2.2", Proto: 6, ID: 1,
			Status: 1 << 14, Timeout: 5,
		}}, 1, 0, func(s *script) {
			s.want(0, "ct.offload=1", "flow.end.reason=4", "ct.status=16384")
		}},
		{
			"a master that only the beginning tells",
			[]cttest.Message{cttest.Samples[6], {
				Event: key.EventDestroy, Src: "192.0.2.1", Dst: "198.51.100.7", Proto: 6,
				Sport: 20, Dport: 1024, ID: 6,
			}},
			1, 0, func(s *script) {
				s.want(0, "ct.master.saddr=192.0.2.1", "ct.master.daddr=198.51.100.7", "ct.master.protocol=6",
					"ct.master.sport=40000", "ct.master.dport=443")
			},
		},
		{
			"a helper and labels that only the beginning tells",
			[]cttest.Message{cttest.Samples[2], {
				Event: key.EventDestroy, Src: "2001:db8::1", Dst: "2001:db8::2", Proto: 6,
				Sport: 7, Dport: 21, ID: 2,
			}},
			1, 0, func(s *script) {
				s.want(0, "ct.helper=ftp", "ct.secctx=system_u:object_r:x:s0", "ct.labels=05000000000000000000000000000000")
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := play(t, nil)
			s.send(c.events...)
			s.stop()
			if len(s.lines) != c.ends || s.n.table.Live != c.live {
				t.Fatalf(
					"%d records, %d live; want %d and %d: %q",
					len(s.lines),
					s.n.table.Live,
					c.ends,
					c.live,
					s.lines,
				)
			}
			if c.check != nil {
				c.check(s)
			}
		})
	}
}

func TestBadMessagesCostThemselvesAlone(t *testing.T) {
	s := play(t, nil)
	good := cttest.DestroyTCP.Bytes()
	s.raw(s.ends, good)
	s.raw(
		s.ends,
		good[:100],
	) // cut off: the length is wrong
	s.raw(
		s.ends,
		[]byte{1, 2, 3},
	) // no header
	s.raw(
		s.begins,
		append(good[:20:20], 7, 0, 1),
	) // no body to speak of
	s.raw(
		s.ends,
		make([]byte, ctnetlink.SlotSize+1),
	) // longer than any event
	s.raw(
		s.ends,
		nlattr.AppendMessage(
			nil,
			unix.NFNL_SUBSYS_ULOG<<8,
			0,
			0,
			func(b []byte) []byte { return append(b, 0, 0, 0, 0) },
		),
	) // another subsystem's
	s.raw(
		s.ends,
		nlattr.AppendMessage(
			nil,
			ctnetlink.MsgDelete,
			0,
			0,
			func(b []byte) []byte { return append(b, unix.AF_INET, 0, 0, 0) },
		),
	) // nothing said
	other := cttest.DestroyTCP
	other.ID++
	s.raw(s.ends, append(append([]byte(nil), other.Bytes()...), cttest.Samples[3].Bytes()...)) // two in one datagram
	s.stop()
	if len(s.lines) != 3 || s.count("malformed") != 4 || s.count("truncated") != 1 {
		t.Errorf(
			"%d records, %d malformed, %d truncated; want 3, 4 and 1",
			len(s.lines),
			s.count("malformed"),
			s.count("truncated"),
		)
	}
}

func TestFullTableStillReports(t *testing.T) {
	s := play(t, func(set *settings) { set.hashMax = 3 })
	for i := range uint32(10) {
		s.send(udp(key.EventNew, i))
	}
	for i := range uint32(10) {
		s.send(udp(key.EventDestroy, i))
	}
	s.stop()
	if len(s.lines) != 10 || s.count("not_remembered") != 7 {
		t.Errorf("%d records, %d not remembered", len(s.lines), s.count("not_remembered"))
	}
	with := 0
	for _, l := range s.lines {
		if strings.Contains(l, "flow.start.sec") {
			with++
		}
	}
	if with != 3 {
		t.Errorf("%d records have a start, want 3", with)
	}
}

func TestMarksMayChange(t *testing.T) {
	s := play(t, func(set *settings) { set.markFilter = []string{"5"} })
	begin, end := udp(key.EventNew, 1), udp(key.EventDestroy, 1)
	end.Mark = 5
	s.send(begin, end)
	begin.ID, begin.Mark, end.ID, end.Mark = 2, 5, 2, 0
	s.send(begin, end)
	s.stop()
	if len(s.lines) != 1 || s.n.table.Live != 0 {
		t.Fatalf("%d live, records %q", s.n.table.Live, s.lines)
	}
	s.want(0, "ct.mark=5", "ct.id=1")
}

// TestReadDoesNotAllocate counts what Read itself allocates, with and without memory, once it is
// warm.
func TestReadDoesNotAllocate(t *testing.T) {
	for _, hash := range []bool{true, false} {
		var read, allocs, reads uint64
		s := playWith(t, func(set *settings) { set.hash = hash }, func(s *script) {
			s.played.read = func(b *engine.Batch, deadline time.Time) error {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				err := s.n.Read(b, deadline)
				runtime.ReadMemStats(&after)
				if reads++; b.Len() > 0 && reads > 5 {
					read += uint64(b.Len())
					allocs += after.Mallocs - before.Mallocs
				}
				return err
			}
		})
		var messages [][]byte
		for i := range 3000 {
			c := cttest.DestroyTCP
			c.ID, c.Start = uint32(i), uint64(i+1)
			messages = append(messages, c.Bytes())
		}
		time.Sleep(time.Second) // past the first reads
		for _, m := range messages {
			s.raw(s.ends, m)
		}
		s.stop()
		// The runtime may allocate meanwhile, but not once per event.
		if read < 2000 || allocs > read/10 {
			t.Errorf("hash %v: %d allocations while %d events were read", hash, allocs, read)
		}
	}
}
