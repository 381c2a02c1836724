// Messages: produced, waited for, and remembered, so that what the cluster has is not sent again.

package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"ulogd/engine"
	"ulogd/plugins/output/store"
)

// A conn is a client.
type conn struct {
	output   *kafka
	client   *kgo.Client
	env      *engine.Env
	headers  []kgo.RecordHeader
	encoders map[*store.Shape]*encoder
}

// progress is what the cluster has taken of the batch that is being sent, whole or in pieces.
type progress struct {
	batch store.ID
	first int    // the row that came first: what is read from a spool may lack those before it
	taken []bool // of that row and those behind it
}

// of returns the progress of rows, a place for each.
func (p *progress) of(r *store.Rows) []bool {
	if p.batch != r.Batch || r.First < p.first {
		p.batch, p.first, p.taken = r.Batch, r.First, nil
	}
	from := r.First - p.first
	for len(p.taken) < from+r.Len() {
		p.taken = append(p.taken, false)
	}
	return p.taken[from : from+r.Len()]
}

// errAway is why messages are sent again on a new connection.
var errAway = fmt.Errorf("brokers have not taken messages within %v", patience)

// A message is a record and its row. franz-go hands back the record that it was given.
type message struct {
	kgo.Record
	row int
	of  *delivery
}

// A delivery is the messages of a Send, and what became of them.
type delivery struct {
	messages []message
	errs     []error // by row
	left     atomic.Int64
	done     chan struct{}
}

// answered is told what has become of a message. It is one function for all, so that a row costs none.
func answered(r *kgo.Record, err error) {
	m := (*message)(unsafe.Pointer(r)) // it is the message's first field
	m.of.errs[m.row] = err
	if m.of.left.Add(-1) == 0 {
		close(m.of.done)
	}
}

// Send produces a message for each row and waits until the cluster has all of them.
func (c *conn) Send(ctx context.Context, rows *store.Rows) error {
	e := c.encoders[rows.Shape]
	if e == nil {
		e = newEncoder(c.output, rows.Shape)
		c.encoders[rows.Shape] = e
	}
	taken, n := c.output.taken.of(rows), rows.Len()
	// What franz-go still has after an end in between is its own: messages are made anew.
	d := &delivery{messages: make([]message, n), errs: make([]error, n), done: make(chan struct{})}
	d.left.Store(1)
	data, now := make([]byte, 0, 4*rows.Octets()), time.Now()
	// franz-go's own timeout counts from the message's time, which is the row's: old rows would never leave.
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for i := range n {
		if taken[i] {
			continue
		}
		rows.Read(i, e.row)
		m := &d.messages[i]
		m.row, m.of, m.Timestamp, m.Headers = i, d, now, c.headers
		if at, ok := e.dating.Of(e.row); ok {
			m.Timestamp = time.Unix(0, int64(at))
		}
		at := len(data)
		data = e.appendKey(data)
		mid := len(data)
		data = e.appendValue(data, m.Timestamp)
		if mid > at {
			m.Key = data[at:mid:mid]
		}
		m.Value = data[mid:len(data):len(data)]
		d.left.Add(1)
		c.client.Produce(within, &m.Record, answered)
	}
	if d.left.Add(-1) == 0 {
		close(d.done)
	}
	return c.wait(ctx, d, taken)
}

// wait waits for the answers and notes who is taken.
func (c *conn) wait(ctx context.Context, d *delivery, taken []bool) error {
	slow := time.NewTicker(2 * patience)
	defer slow.Stop()
	for waiting := true; waiting; {
		select {
		case <-d.done:
			waiting = false
		case <-slow.C:
			c.env.Limited().Error("brokers do not say whether they have messages; waiting, so that none is there twice",
				"brokers", c.output.Name(), "messages", d.left.Load())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var refused, failed error
	for i, err := range d.errs {
		switch {
		case taken[i]:
		case err == nil:
			taken[i] = true
		case refuses(err):
			refused = err
		case errors.Is(err, context.DeadlineExceeded):
			failed = errAway
		default:
			failed = err
		}
	}
	switch {
	case errors.Is(failed, kerr.UnknownTopicOrPartition):
		return errors.Join(errors.New("the topic "+c.output.topic+" does not exist; create it, or have brokers do so "+
			"(auto.create.topics.enable)"), failed)
	case failed != nil:
		return failed
	case refused != nil:
		return &store.Refused{Err: refused}
	}
	return nil
}

// refuses reports whether a message will never be taken.
func refuses(err error) bool {
	return errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.InvalidRecord) ||
		errors.Is(err, kerr.RecordListTooLarge)
}

// Close gives the client up.
func (c *conn) Close() error {
	c.client.Close()
	return nil
}
