// Package sink is what outputs write to: files, peers, and servers with protocols of their own.
//
// An output encodes records; all else is the same for every output and stands here once: gathering
// records and writing many at a time, connecting, waiting for a slow or absent other side, what
// happens to records that it does not take, SIGHUP, and the accounting of every record. An output
//
//   - embeds a [Sink], whose methods the engine calls: nothing of Open, Tick, Flush, Signal, Close and Doctor is written again;
//   - declares its options, among them those of its [Target]: a logfile.File, a peer.Peer, or a [Server] with a protocol of its own;
//   - binds the stack to the target (once, in its Bind), which gives it a [Writer];
//   - appends records in Consume: Begin, End after each whole record, Commit at the end of the batch.
//
// With that it has a queue (options queue and when_full), waits for the other side where nothing is
// lost by it or the queue decides what is dropped, and counts what it has written, holds and drops;
// it must not count Out, Held or drops of records that it has ended with End. Records that it
// leaves out it counts itself: as filtered, or by a reason (p.Stats().Drop).
//
// This is a whole output for a database, with reconnects, rows that the database refuses, and a
// manual:
//
//	func init() {
//		engine.Register(engine.Plugin{
//			Name:   "ROWDB",
//			Doc:    "Inserts one row per flow into a database that takes a statement per line and answers each with a line, OK or why not.",
//			Output: func() engine.Output { return &rowdb{} },
//		})
//	}
//
//	type rowdb struct {
//		sink.Sink
//		server sink.Server
//		table  string
//	}
//
//	func (o *rowdb) Options(opts *engine.Options) {
//		opts.String(&o.server.Name, "address", "127.0.0.1:7000", "host:port of the database")
//		opts.String(&o.table, "table", "flows", "where rows go")
//	}
//
//	func (o *rowdb) Bind(p *engine.Binder) engine.Stage {
//		o.server.Connect, o.server.Gather = o.connect, time.Second
//		return &stage{
//			rowdb: o, Writer: o.Sink.Bind(p, &o.server),
//			saddr: engine.Require(p, key.OrigSaddr), octets: engine.Require(p, key.OrigOctets), family: p.Family(),
//		}
//	}
//
//	type stage struct {
//		*rowdb
//		*sink.Writer
//		saddr  engine.Col[engine.Addr]
//		octets engine.Col[uint64]
//		family engine.Family
//	}
//
//	func (s *stage) Consume(b *engine.Batch) {
//		saddr, octets, buf := s.saddr.Of(b), s.octets.Of(b), s.Begin()
//		for _, r := range b.Rows() {
//			buf = append(append(append(buf, "INSERT INTO "...), s.table...), " VALUES ('"...)
//			if s.saddr.Has(b, r) {
//				buf = saddr[r].AppendText(buf, s.family.Is6(b, r))
//			}
//			buf = append(buf, "', "...)
//			if s.octets.Has(b, r) {
//				buf = strconv.AppendUint(buf, octets[r], 10)
//			} else {
//				buf = append(buf, "NULL"...)
//			}
//			buf = s.End(append(buf, ");\n"...))
//		}
//		s.Commit(buf)
//	}
//
//	func (o *rowdb) connect(ctx context.Context, _ *engine.Env) (sink.Conn, error) {
//		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", o.server.Name)
//		if err != nil {
//			return nil, err
//		}
//		return &conn{c, bufio.NewReader(c)}, nil
//	}
//
//	type conn struct {
//		net.Conn
//		answers *bufio.Reader
//	}
//
//	func (c *conn) Gone() error { return nil }
//
//	func (c *conn) Send(ctx context.Context, r sink.Records) (n int, err error) {
//		defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Now()) })()
//		for ; n < r.Len(); n++ {
//			if _, err := c.Write(r.At(n)); err != nil {
//				return n, err
//			}
//			if line, err := c.answers.ReadString('\n'); err != nil {
//				return n, err
//			} else if line != "OK\n" {
//				return n, &sink.Refused{Err: errors.New(line)}
//			}
//		}
//		return n, nil
//	}
package sink
