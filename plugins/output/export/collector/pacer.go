// Datagrams at a measured pace: a collector that reads more slowly than we send loses them, and
// nobody is told (RFC 7011 section 10.3.3).

package collector

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A pacer stands in front of a session of datagrams and sends so many records a second, on a
// goroutine of the engine's: bursts are short, however seldom the queue is pumped.
type pacer struct {
	session Session
	base    int64         // octets that the session took before
	wake    chan struct{} // there is something new
	quit    chan struct{} // closed when it is to end
	stopped chan struct{} // closed when it has

	mu      sync.Mutex
	rate    float64 // records a second
	data    []byte  // datagrams that wait
	pieces  []Piece
	sent    paced // by the session
	busy    bool  // the goroutine holds some that are not sent yet
	refused bool  // the collector's host said that nobody listens: what waits has to be sent after its templates
	insist  bool  // until a record has left, refusals are of what was sent before
	late    error // why the first datagram that waits cannot be sent now
	err     error // why the session is broken
}

// paced counts what has left.
type paced struct {
	octets            int64
	messages, records int
}

const (
	// maxBurst is how many datagrams go at once, and burstOctets how much they hold if they are
	// many. A socket's default receive buffer has room for some ninety of Ethernet's length, or
	// thirteen that fill a jumbo frame.
	maxBurst    = 8
	burstOctets = maxBurst * 1500
	// pacedOctets is how much waits in a pacer: enough for the time between two ticks.
	pacedOctets = 256 << 10
	// retryLater is the pause after a datagram that could not be sent.
	retryLater = 200 * time.Millisecond
)

func (q *Queue) startPacer(insist bool) {
	p := &pacer{
		session: q.session, base: q.taken, wake: make(chan struct{}, 1), quit: make(chan struct{}), stopped: make(chan struct{}),
		rate: float64(q.pace.Rate), insist: insist,
	}
	q.pacer, q.counted, q.handed = p, paced{}, 0
	q.env.Go(p.run)
}

// send takes whole datagrams as long as there is room, and returns how many octets.
func (p *pacer) send(data []byte, pieces []Piece) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil || p.refused {
		return 0, p.err
	}
	n, octets := 0, 0
	for n < len(pieces) && (len(p.data)+octets+int(pieces[n].Length) <= pacedOctets || n == 0 && len(p.data) == 0) {
		octets += int(pieces[n].Length)
		n++
	}
	p.data, p.pieces = append(p.data, data[:octets]...), append(p.pieces, pieces[:n]...)
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return octets, nil
}

// state returns what has left, whether nothing waits, and whether the collector's host refused
// something.
func (p *pacer) state() (sent paced, idle, refused bool, late, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent, len(p.pieces) == 0 && !p.busy, p.refused, p.late, p.err
}

// records returns how many wait.
func (p *pacer) records() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.pieces {
		n += int(m.Records)
	}
	return n
}

// setRate changes the pace.
func (p *pacer) setRate(rate float64) {
	p.mu.Lock()
	p.rate = rate
	p.mu.Unlock()
}

// stop ends the goroutine. What it has not sent stays unsent; the numbers are final then.
func (p *pacer) stop() {
	close(p.quit)
	<-p.stopped
}

// take moves the datagrams of the next burst to those, and returns the pace.
func (p *pacer) take(b *burst) (rate float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, octets := 0, 0
	for n < min(len(p.pieces), maxBurst) && (n == 0 || octets+int(p.pieces[n].Length) <= burstOctets) {
		octets += int(p.pieces[n].Length)
		n++
	}
	b.data, b.pieces = append(b.data[:0], p.data[:octets]...), append(b.pieces[:0], p.pieces[:n]...)
	p.data, p.pieces = p.data[:copy(p.data, p.data[octets:])], p.pieces[:copy(p.pieces, p.pieces[n:])]
	p.busy = n > 0
	return p.rate
}

// note says what became of a datagram, and returns false when no more may be sent.
func (p *pacer) note(m Piece, last bool, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	var later *LaterError
	switch {
	case err == nil:
		p.sent.octets += int64(m.Length)
		p.sent.messages++
		p.sent.records += int(m.Records)
		p.busy, p.late = !last, nil
		p.insist = p.insist && m.Records == 0
	case errors.Is(err, errRefused):
		p.refused = !p.insist
	case errors.As(err, &later):
		p.late = err
	default:
		p.err = err
	}
	return !p.refused && p.err == nil
}

// A burst is what goes out before the queue is looked at again.
type burst struct {
	data   []byte
	pieces []Piece
	next   time.Time // when the next datagram may leave
	timer  *time.Timer
}

func (p *pacer) run(ctx context.Context) {
	defer close(p.stopped)
	b := burst{timer: time.NewTimer(0)}
	defer b.timer.Stop()
	for {
		rate := p.take(&b)
		if len(b.pieces) == 0 {
			select {
			case <-p.wake:
				continue
			case <-p.quit:
			case <-ctx.Done():
			}
			return
		}
		if !p.sendBurst(ctx, &b, rate) {
			return
		}
	}
}

// sendBurst sends datagrams, each when it is time, and returns false when no more may be sent. What
// was missed is made up for, but not by more than a burst.
func (p *pacer) sendBurst(ctx context.Context, b *burst, rate float64) bool {
	takes := func(records float64) time.Duration { return time.Duration(records / rate * float64(time.Second)) }
	all := 0.0
	for _, m := range b.pieces {
		all += m.cost()
	}
	if earliest := time.Now().Add(-takes(all)); b.next.Before(earliest) {
		b.next = earliest
	}
	for off, i := 0, 0; i < len(b.pieces); {
		m := b.pieces[i]
		if pause := time.Until(b.next); pause > 0 && !p.pause(ctx, b.timer, pause) {
			return false
		}
		n, err := p.session.Send(b.data[off:off+int(m.Length)], b.pieces[i:i+1])
		switch {
		case err == nil && n == 0: // the socket's buffer is full
			b.next = time.Now().Add(time.Millisecond)
		case !p.note(m, i == len(b.pieces)-1, err):
			return false
		case err == nil:
			b.next = b.next.Add(takes(m.cost()))
			off += n
			i++
		case !errors.Is(err, errRefused):
			b.next = time.Now().Add(retryLater)
		}
	}
	return true
}

func (p *pacer) pause(ctx context.Context, timer *time.Timer, d time.Duration) bool {
	timer.Reset(d)
	select {
	case <-timer.C:
		return true
	case <-p.quit:
	case <-ctx.Done():
	}
	return false
}

// cost is what a datagram counts for: its records; templates and the like as a few.
func (m Piece) cost() float64 { return float64(max(m.Records, 8)) }
