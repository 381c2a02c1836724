// Messages: produced, waited for, and remembered, so that what the cluster has is not sent again.

package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

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

// An answer is what has become of a message.
type answer struct {
	row int
	err error
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
	records, data := make([]kgo.Record, n), make([]byte, 0, 4*rows.Octets())
	answers := make(chan answer, n)
	waiting, now := 0, time.Now()
	// franz-go's own timeout counts from the message's time, which is the row's: old rows would never leave.
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for i := range n {
		if taken[i] {
			continue
		}
		rows.Read(i, e.row)
		r := &records[i]
		r.Timestamp, r.Headers = now, c.headers
		if at, ok := e.dating.Of(e.row); ok {
			r.Timestamp = time.Unix(0, int64(at))
		}
		at := len(data)
		data = e.appendKey(data)
		mid := len(data)
		data = e.appendValue(data, r.Timestamp)
		if mid > at {
			r.Key = data[at:mid:mid]
		}
		r.Value = data[mid:len(data):len(data)]
		waiting++
		c.client.Produce(within, r, func(_ *kgo.Record, err error) { answers <- answer{i, err} })
	}
	return c.wait(ctx, answers, waiting, taken)
}

// wait collects the answers.
func (c *conn) wait(ctx context.Context, answers <-chan answer, waiting int, taken []bool) error {
	var refused, failed error
	slow := time.NewTicker(2 * patience)
	defer slow.Stop()
	for ; waiting > 0; waiting-- {
		select {
		case a := <-answers:
			switch {
			case a.err == nil:
				taken[a.row] = true
			case refuses(a.err):
				refused = a.err
			case errors.Is(a.err, context.DeadlineExceeded):
				failed = errAway
			default:
				failed = a.err
			}
		case <-slow.C:
			c.env.Limited().Error("brokers do not say whether they have messages; waiting, so that none is there twice",
				"brokers", c.output.Name(), "messages", waiting)
			waiting++
		case <-ctx.Done():
			return ctx.Err()
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
