// Inserts: rows dealt among the servers, encoded and sent.

package clickhouse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"ulogd/plugins/output/store"
)

// A plan is how rows of a shape fill a table.
type plan struct {
	columns []planned
	names   string // for the statement
	dating  store.Dating
	hash    store.FlowHash
	row     []store.Value
}

// A planned column is one of the table's and the key that fills it; -1: the row's time.
type planned struct {
	key int
	of  store.Key
	described
}

// planFor finds the keys that fill columns.
func planFor(s *store.Shape, columns []described) (*plan, error) {
	p := &plan{dating: s.Dating(), hash: s.FlowHash(), row: make([]store.Value, len(s.Keys))}
	var names []string
	for _, c := range columns {
		i := slices.IndexFunc(s.Keys, func(k store.Key) bool { return strings.ReplaceAll(k.Name, ".", "_") == c.name })
		switch {
		case i >= 0 && !c.fits(s.Keys[i].Type):
			return nil, fmt.Errorf("column %s cannot have %s: the types do not fit; change the column", c.name, s.Keys[i].Name)
		case i >= 0:
			p.columns = append(p.columns, planned{i, s.Keys[i], c})
		case c.name == "time" && (c.kind == datetime || c.kind == ticks):
			p.columns = append(p.columns, planned{-1, store.Key{}, c})
		default:
			continue
		}
		names = append(names, quote(c.name))
	}
	if len(names) == 0 {
		return nil, errors.New("no column of the table has the name of a key (with _ for each dot)")
	}
	p.names = strings.Join(names, ", ")
	return p, nil
}

func (p *plan) append(dst []byte, now time.Time) []byte {
	for i := range p.columns {
		c := &p.columns[i]
		if c.key < 0 {
			at, ok := p.dating.Of(p.row)
			v := store.Value{Valid: true, N: uint64(at)}
			if !ok {
				v.N = uint64(now.UnixNano())
			}
			dst = c.columnType.append(dst, &v, c.of.Type)
			continue
		}
		v := &p.row[c.key]
		if !v.Valid {
			v = nil
		}
		dst = c.columnType.append(dst, v, c.of.Type)
	}
	return dst
}

// A conn is all servers.
type conn struct {
	output *clickhouse
	shards []*server
	plans  store.Plans[plan]
	zip    *gzip.Writer
	out    bytes.Buffer
}

// A piece is rows of a batch: what a shard has taken need not be sent to it again when another
// shard has not.
type piece struct {
	batch       store.ID
	first, rows int
}

func (p *piece) has(r *store.Rows) bool {
	return p.rows > 0 && p.batch == r.Batch && p.first <= r.First && r.First+r.Len() <= p.first+p.rows
}

// Send deals the rows among the servers and inserts them.
func (c *conn) Send(ctx context.Context, rows *store.Rows) error {
	p, err := c.plans.Of(rows.Shape, func() (*plan, error) { return planFor(rows.Shape, c.shards[0].columns) })
	if err != nil {
		return err
	}
	for _, s := range c.shards {
		s.body, s.rows = s.body[:0], 0
	}
	now, n := time.Now(), uint32(len(c.shards))
	for i := range rows.Len() {
		rows.Read(i, p.row)
		s := c.shards[0]
		if n > 1 {
			s = c.shards[p.hash.Of(p.row)%n]
		}
		s.body = p.append(s.body, now)
		s.rows++
	}
	for i, s := range c.shards {
		taken := &c.output.taken[i]
		if s.rows == 0 || taken.has(rows) {
			continue
		}
		if err := c.insert(ctx, s, p, rows.ID()); err != nil {
			return err
		}
		*taken = piece{rows.Batch, rows.First, rows.Len()}
	}
	return nil
}

func (c *conn) insert(ctx context.Context, s *server, p *plan, id string) error {
	header, params := http.Header{}, url.Values{}
	if s.tokens {
		params.Set("insert_deduplication_token", id)
	}
	body := s.body
	if c.output.compression == "gzip" {
		var err error
		if body, err = c.pack(body); err != nil {
			return err
		}
		header.Set("Content-Encoding", "gzip")
	}
	statement := "INSERT INTO " + quote(c.output.table) + " (" + p.names + ") FORMAT RowBinary"
	_, err := s.run(ctx, s.url, statement, body, header, params)
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*exception](err); ok && e.refuses() {
		// A table that was altered behind our back does not make bad rows of good ones.
		if now, readErr := s.read(ctx); readErr != nil || !slices.Equal(now, s.columns) {
			return fmt.Errorf("%s: the table has changed: %w", s.url, err)
		}
		return &store.Refused{Err: fmt.Errorf("%s: %w", s.url, err)}
	}
	return fmt.Errorf("%s: %w", s.url, err)
}

func (c *conn) pack(body []byte) ([]byte, error) {
	c.out.Reset()
	if c.zip == nil {
		var err error
		if c.zip, err = gzip.NewWriterLevel(&c.out, gzip.BestSpeed); err != nil {
			return nil, err
		}
	} else {
		c.zip.Reset(&c.out)
	}
	if _, err := c.zip.Write(body); err != nil {
		return nil, err
	}
	err := c.zip.Close()
	return c.out.Bytes(), err
}

// Maintain drops old days where the server does not.
func (c *conn) Maintain(ctx context.Context) error {
	for _, s := range c.shards {
		if err := s.forget(ctx, time.Now()); err != nil {
			return fmt.Errorf("%s: %w", s.url, err)
		}
	}
	return nil
}

// Close gives up the connections.
func (c *conn) Close() error {
	c.shards[0].http.CloseIdleConnections()
	return nil
}
