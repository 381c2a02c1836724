// The way to one collector: messages wait here until a session takes them, and a little longer.

package collector

import (
	"errors"
	"time"

	"ulogd/engine"
)

// A Protocol knows what of a message depends on the session and the moment it leaves in. Its
// methods run on the goroutine that pumps.
type Protocol interface {
	// Begin is told that a session has come up. Control messages may be sent from here.
	Begin(q *Queue, now time.Time)
	// Before may send, with Control, messages that must leave before one with this mark.
	Before(q *Queue, m Mark, now time.Time)
	// Doubt is told that the collector may be another one than it was, in the same session: what it
	// was told has to be told again.
	Doubt(q *Queue, now time.Time)
	// Stamp writes what is known only when the message leaves. at says what went before it.
	Stamp(msg []byte, at Position, now time.Time)
}

// A Position counts what a session has been sent.
type Position struct {
	Records  uint32 // data records, modulo 2^32
	Messages uint32 // control messages included
}

// Sent counts what a collector has been sent in all sessions together, control messages and their
// records included.
type Sent struct{ Messages, Records, Octets uint64 }

func (s *Sent) add(records, octets int) {
	s.Messages++
	s.Records += uint64(records)
	s.Octets += uint64(octets)
}

// A Queue keeps whole messages for one collector, in bounded memory. For streams it also keeps what
// was sent lately, and sends it again when a session breaks.
//
// It counts records: Held while they wait, in memory or in its spool, Out when a session has taken
// them, Made when they are sent again, dropped as buffer_full.
type Queue struct {
	// Dropped, where set, is told of each message whose records are given up for want of room.
	Dropped func(msg []byte)

	link     Way
	protocol Protocol
	env      *engine.Env
	stats    *engine.Stats
	max      int64 // octets of all chunks together
	piece    int64 // octets of a chunk
	window   Window
	full     *engine.Drop
	resent   *engine.Counter
	disk     *overflow // nil: what finds no room is dropped

	session Session
	number  uint32 // of the session, from 1
	at      Position
	sent    Sent
	taken   int64 // octets that the session has taken
	chunks  []*chunk
	free    []*chunk
	waiting int64   // octets of messages not sent yet
	chunk   int     // the next message to send ...
	message int     // ... in this chunk
	part    int     // ... of which the session has taken so many octets
	pieces  []Piece // of the run being sent

	waitingRecords int // in the messages that wait

	control        []byte   // messages of the protocol's own, which go first
	controls       []uint16 // their lengths
	controlRecords []uint16 // and data records
	stamped        int      // how many of them are numbered
	begun          int      // octets of control that the session has taken

	log  notices
	peer *engine.Peer // what monitors are told

	// Datagrams only.
	pace     Pace
	pacer    *pacer        // nil: messages go to the session as fast as it takes them
	counted  paced         // of what the pacer has sent, what is counted as out
	handed   int           // messages that the pacer was handed
	backlog  bool          // messages wait that could not be sent when they came
	refusals int64         // of the session, that the protocol was told of
	doubted  bool          // and since then no record has left
	telling  time.Duration // how long data waits behind the control messages that come next; 0: not at all
	learnt   time.Time     // when it has waited
	incoming float64       // records a second
	added    int           // records since the rate was measured
	adapted  time.Time

	patience time.Duration // 0: a session may stand still for ever
	progress time.Time     // when it last did not
	reached  int64         // octets that were acknowledged then
}

// A Window is what a stream sends again after a break: the last octets, or all of a time, whichever
// is more. An acknowledgement means that the peer's kernel has it, not its program.
type Window struct {
	Acked  bool // keep at least what is not acknowledged: the session is a stream
	Octets int64
	Time   time.Duration
}

// NewQueue makes a queue of at most so many octets in front of the link.
func NewQueue(env *engine.Env, link Way, p Protocol, octets int64, w Window) *Queue {
	q := &Queue{
		link: link, protocol: p, env: env, stats: env.Stats, max: max(octets, MinBuffer), window: w,
		full:   env.Stats.Drop("buffer_full", "records that found the buffer of their collector full"),
		resent: env.Stats.Counter("resent", "records sent again because their session broke; they count as made"),
	}
	q.piece = pieceSize(q.max, w)
	q.log = notices{log: env.Log, name: link.Name()}
	q.peer = env.Stats.Peer(link.Name())
	return q
}

// Session returns the session, nil while there is none.
func (q *Queue) Session() Session { return q.session }

// Waiting returns the octets of messages that no session has taken yet.
func (q *Queue) Waiting() int64 { return q.waiting }

// Position counts what the present session has been sent.
func (q *Queue) Position() Position { return q.at }

// Controlled returns how many messages the session will have been sent when the control messages
// that wait are out.
func (q *Queue) Controlled() uint32 { return q.at.Messages + uint32(len(q.controls)-q.stamped) }

// Full counts the records that found a buffer full.
func (q *Queue) Full() *engine.Drop { return q.full }

// Sent counts what has been sent.
func (q *Queue) Sent() Sent { return q.sent }

// Control sends a message of the protocol's own, such as templates, ahead of all that waits. What
// data records it has count in the session's position and nowhere else. It is lost with the
// session.
func (q *Queue) Control(msg []byte, records int) {
	q.control = append(q.control, msg...)
	q.controls = append(q.controls, uint16(len(msg)))
	q.controlRecords = append(q.controlRecords, uint16(records))
}

// Pump writes what the session takes, and sees to the session itself. It never blocks.
func (q *Queue) Pump(now time.Time) {
	s, fresh := q.link.Poll(now)
	if fresh {
		q.begin(s, now)
	}
	if q.session == nil {
		return
	}
	if err := q.passing(q.write(now), now); err != nil {
		q.broke(err, now)
	}
}

// Tick reads what the peer says, offers a preferred collector its chance, pumps, and lets go of
// what need not be sent again.
func (q *Queue) Tick(now time.Time) {
	if q.session != nil {
		if err := q.session.Drain(); err != nil {
			q.broke(err, now)
		} else if q.stalled(now) {
			q.giveUp(now)
		}
		q.link.Better(now)
	}
	q.Pump(now)
	q.adapt(now)
	q.trim(now)
	q.shrink()
	if q.log.tick(now, q.session == nil && q.link.Failing()) {
		q.tellAgain(now)
	}
	if q.disk != nil {
		q.disk.Tick(now)
	}
	q.show()
}

// show tells monitors how it stands.
func (q *Queue) show() {
	switch {
	case q.session == nil:
		q.peer.Down(nil) // the link has said why
	case q.log.refusing:
		q.peer.Down(errors.New("its host refuses datagrams: nobody listens there"))
	default:
		q.peer.Up()
	}
	var spooled, most int64
	if q.disk != nil {
		spooled, most = q.disk.Octets(), q.disk.Max
	}
	q.peer.Waits(q.waiting, q.max, spooled, most)
}

func (q *Queue) begin(s Session, now time.Time) {
	if q.session != nil { // a preferred collector has come back, or the present one has another address
		q.unsend(q.window)
		leave(q.session)
	}
	q.session = s
	q.number++
	q.taken, q.at, q.refusals, q.doubted = 0, Position{}, 0, false
	q.telling, q.learnt = 0, time.Time{}
	if _, ok := s.(datagramSession); ok {
		q.telling = toLearn
	}
	q.progress, q.reached = now, 0
	q.backlog = q.waitingRecords > 0
	q.dropControl()
	q.log.up(now, q.held())
	q.protocol.Begin(q, now)
}

// held returns how many records wait for a session.
func (q *Queue) held() int {
	if q.disk != nil {
		return q.waitingRecords + q.disk.Records()
	}
	return q.waitingRecords
}

func (q *Queue) broke(err error, now time.Time) {
	q.unsend(q.window)
	q.session = nil
	q.log.down(now)
	q.peer.Down(err)
	q.link.Break(err)
}

// Reset ends the session, after what it still takes, and connects anew: names are resolved again.
func (q *Queue) Reset(now time.Time) {
	q.Pump(now)
	if q.session != nil { // the kernel delivers what it has, if the peer lives: what is not acknowledged is sent again
		q.unsend(Window{})
		q.session.Shutdown()
		q.session = nil
	}
	q.link.Reset()
}

// write sends control messages, then data, until the session takes no more.
func (q *Queue) write(now time.Time) error {
	if done, err := q.session.Flush(); !done || err != nil {
		return err
	}
	if err := q.watch(now); err != nil {
		return err
	}
	for {
		if done, err := q.writeControl(now); !done || err != nil {
			return err
		}
		if now.Before(q.learnt) {
			return nil
		}
		p, n := q.run(now)
		if n == 0 {
			if len(q.controls) > 0 || q.refill() {
				continue // control messages have to go first
			}
			q.restart()
			return nil
		}
		q.pieces = q.pieces[:0]
		for _, m := range q.chunks[q.chunk].marks[q.message : q.message+n] {
			q.pieces = append(q.pieces, Piece{m.length, uint16(m.Records)})
		}
		taken, err := q.send(p, q.pieces)
		doubted := q.doubted
		q.took(taken, now)
		if errors.Is(err, errRefused) {
			if !doubted || taken > 0 { // else it is what we told that was refused, and the error is over
				q.doubt(now)
			}
			continue
		}
		if err != nil || taken < len(p) {
			return err
		}
		if q.pacer == nil { // else it knows better
			q.canSend(now)
		}
	}
}

// writeControl sends the control messages and reports whether data may follow.
func (q *Queue) writeControl(now time.Time) (bool, error) {
	if len(q.controls) == 0 || q.part > 0 { // a message that has begun is finished first
		return true, nil
	}
	off := 0
	for i, n := range q.controls {
		if i >= q.stamped {
			q.protocol.Stamp(q.control[off:off+int(n)], q.at, now)
			q.at.Messages++
			q.at.Records += uint32(q.controlRecords[i])
			q.sent.add(int(q.controlRecords[i]), int(n))
		}
		off += int(n)
	}
	q.stamped = len(q.controls)
	skip, off := 0, q.begun
	for off >= int(q.controls[skip]) {
		off -= int(q.controls[skip])
		skip++
	}
	for {
		q.pieces = q.pieces[:0]
		for _, length := range q.controls[skip:] {
			q.pieces = append(q.pieces, Piece{Length: length})
		}
		n, err := q.send(q.control[q.begun:], q.pieces)
		q.begun += n
		q.taken += int64(n)
		if errors.Is(err, errRefused) { // of something earlier
			for ; n > 0; skip++ {
				n -= int(q.controls[skip])
			}
			continue
		}
		if err != nil || q.begun < len(q.control) {
			return false, err
		}
		q.dropControl()
		if q.telling > 0 {
			q.telling, q.learnt = 0, now.Add(q.telling)
		}
		return true, nil
	}
}

// How long data waits behind the templates that begin a session of datagrams, and behind those that are told
// again since nobody was there: a collector that reads with several threads at a time may look at the data
// first, and throw them away. While nobody is there it is waited again and again.
const (
	toLearn      = 250 * time.Millisecond
	toLearnAgain = 5 * time.Millisecond
)

func (q *Queue) dropControl() {
	q.control, q.controls, q.controlRecords, q.stamped, q.begun = q.control[:0], q.controls[:0], q.controlRecords[:0], 0, 0
}

// maxRun bounds the messages stamped at a time, so that their time is that of sending.
const maxRun = 64

// run stamps the next messages of one chunk and returns their octets that are still to be sent, and
// their number.
func (q *Queue) run(now time.Time) ([]byte, int) {
	for q.chunk < len(q.chunks)-1 && q.message == len(q.chunks[q.chunk].marks) {
		q.chunk, q.message = q.chunk+1, 0
	}
	if q.chunk == len(q.chunks) {
		return nil, 0
	}
	c, at, n := q.chunks[q.chunk], q.at, 0
	for n < maxRun && q.message+n < len(c.marks) && (n == 0 || len(q.controls) == 0) {
		m := &c.marks[q.message+n]
		if n > 0 || q.part == 0 {
			q.protocol.Before(q, *m, now)
			if len(q.controls) > 0 {
				break
			}
			q.protocol.Stamp(c.message(q.message+n), at, now)
		}
		at.Records += uint32(m.Records)
		at.Messages++
		n++
	}
	if n == 0 {
		return nil, 0
	}
	return c.data[c.begin(q.message)+q.part : c.ends[q.message+n-1]], n
}

// took notes that the session has taken n more octets.
func (q *Queue) took(n int, now time.Time) {
	q.taken += int64(n)
	n += q.part
	c, records := q.chunks[q.chunk], 0
	for q.message < len(c.marks) && n >= int(c.marks[q.message].length) {
		m := &c.marks[q.message]
		n -= int(m.length)
		m.session, m.sent = q.number, ticks(now)
		m.end = q.taken - int64(n)
		q.waiting -= int64(m.length)
		q.at.Records += uint32(m.Records)
		q.at.Messages++
		q.sent.add(m.Records, int(m.length))
		records += m.Records
		q.message++
	}
	q.part = n
	q.waitingRecords -= records
	if records > 0 {
		q.doubted, q.telling = false, 0
	}
	if q.pacer == nil {
		q.stats.Out.Add(records)
		q.stats.Held.Add(-records)
	}
}

// pending reports whether messages wait that no session has taken yet.
func (q *Queue) pending() bool { return q.waiting > 0 || q.disk != nil && q.disk.Records() > 0 }

// Idle reports whether all that was added is sent, and, as far as the peer says so, received.
func (q *Queue) Idle() bool {
	if q.pending() {
		return false
	}
	if q.session == nil {
		return true
	}
	if q.pacer != nil {
		_, idle, _, _, _ := q.pacer.state()
		return idle
	}
	done, err := q.session.Flush()
	return err == nil && done && q.session.Acked() >= q.taken
}
