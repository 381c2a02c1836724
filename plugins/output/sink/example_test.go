// An output as docs/writing-a-plugin.md has it, and that it keeps what the package promises.

package sink_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/output/sink"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

func init() {
	engine.Register(engine.Plugin{
		Name:   "ROWDB",
		Doc:    "Inserts one row per flow into a database that takes a statement per line and answers each with a line, OK or why not.",
		Output: func() engine.Output { return &rowdb{} },
	})
}

type rowdb struct {
	sink.Sink
	server sink.Server
	table  string
}

func (o *rowdb) Options(opts *engine.Options) {
	opts.String(&o.server.Name, "address", "127.0.0.1:7000", "host:port of the database")
	opts.String(&o.table, "table", "flows", "where rows go")
}

func (o *rowdb) Bind(p *engine.Binder) engine.Stage {
	o.server.Connect, o.server.Gather = o.connect, time.Second
	return &stage{
		rowdb: o, Writer: o.Sink.Bind(p, &o.server),
		saddr: engine.Require(p, key.OrigSaddr), octets: engine.Require(p, key.OrigOctets), family: p.Family(),
	}
}

type stage struct {
	*rowdb
	*sink.Writer
	saddr  engine.Col[engine.Addr]
	octets engine.Col[uint64]
	family engine.Family
}

func (s *stage) Consume(b *engine.Batch) {
	saddr, octets, buf := s.saddr.Of(b), s.octets.Of(b), s.Begin()
	for _, r := range b.Rows() {
		buf = append(append(append(buf, "INSERT INTO "...), s.table...), " VALUES ('"...)
		if s.saddr.Has(b, r) {
			buf = saddr[r].AppendText(buf, s.family.Is6(b, r))
		}
		buf = append(buf, "', "...)
		if s.octets.Has(b, r) {
			buf = strconv.AppendUint(buf, octets[r], 10)
		} else {
			buf = append(buf, "NULL"...)
		}
		buf = s.End(append(buf, ");\n"...))
	}
	s.Commit(buf)
}

func (o *rowdb) connect(ctx context.Context, _ *engine.Env) (sink.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", o.server.Name)
	if err != nil {
		return nil, err
	}
	return &conn{c, bufio.NewReader(c)}, nil
}

type conn struct {
	net.Conn
	answers *bufio.Reader
}

func (c *conn) Gone() error { return nil }

func (c *conn) Send(ctx context.Context, r sink.Records) (n int, err error) {
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Now()) })()
	for ; n < r.Len(); n++ {
		if _, err := c.Write(r.At(n)); err != nil {
			return n, err
		}
		if line, err := c.answers.ReadString('\n'); err != nil {
			return n, err
		} else if line != "OK\n" {
			return n, &sink.Refused{Err: errors.New(line)}
		}
	}
	return n, nil
}

// database answers statements; it closes a connection after some, and refuses what contains bad.
type database struct {
	net.Listener
	mu         sync.Mutex
	statements []string
}

func (d *database) serve(perConnection int, bad string) {
	for {
		c, err := d.Accept()
		if err != nil {
			return
		}
		in := bufio.NewReader(c)
		for range perConnection {
			line, err := in.ReadString('\n')
			if err != nil {
				break
			}
			if strings.Contains(line, bad) {
				fmt.Fprintln(c, "no such thing")
				continue
			}
			d.mu.Lock()
			d.statements = append(d.statements, line)
			d.mu.Unlock()
			fmt.Fprintln(c, "OK")
		}
		c.Close()
	}
}

// TestSession has a database that comes late, breaks every connection after some statements, and
// refuses one of them.
func TestSession(t *testing.T) {
	address := fmt.Sprint("127.0.0.1:", nstest.FreePort(t))
	for i := range 100 {
		stacktest.Feed("sink-example", map[string]string{"orig.ip.saddr": "10.0.0.1", "orig.raw.pktlen": fmt.Sprint(1000 + i)})
	}
	d := stacktest.Start(t, `
		stack = "in:ROWS,db:ROWDB"
		[in]
		feed = "sink-example"
		[db]
		address = "`+address+`"
	`)
	d.Eventually("a complaint", func() bool { return d.Log.Has("cannot connect; trying again") })
	l := nstest.Listen(t, "tcp", address)
	db := &database{Listener: l}
	t.Cleanup(func() { l.Close() })
	go db.serve(40, "1050")
	d.Wait()
	db.mu.Lock()
	defer db.mu.Unlock()
	if n := len(db.statements); n != 99 || db.statements[98] != "INSERT INTO flows VALUES ('10.0.0.1', 1099);\n" {
		t.Errorf("the database has %d statements: %q", n, db.statements)
	}
	if s := d.Stats("db"); s.Out != 99 || d.Count("db", "refused") != 1 || d.Count("db", "connections") < 3 {
		t.Errorf("%+v", s)
	}
	if !d.Log.Has("no such thing") {
		t.Errorf("the log does not say why a row was refused:\n%s", d.Log)
	}
}
