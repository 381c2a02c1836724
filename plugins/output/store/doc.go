// Package store is what outputs to databases and streams share: rows that are gathered into
// batches, a buffer in memory and a spool on disk for what the store does not take yet, connecting
// and trying again, rows that the store refuses, and the accounting of every record.
//
// A store is what differs: [Store] connects and says how it is called, [Conn] sends a batch, all of
// it or nothing, and says by its error whose fault it is that it could not:
//
//   - [Refused]: rows of this batch will never be taken. The batch is halved until the rows that
//     are to blame stand alone; each is counted as refused and the log has the store's words.
//   - any other error: the store is away, full, locked, or its table does not fit. The connection
//     is closed and the same batch is sent again after a pause, for as long as it takes.
//
// An output embeds [Output], declares its options with [Output.Declare] among its own, checks them
// with Validate, and in its Bind hands the keys that it takes to [Output.BindStore]:
//
//	type clickhouse struct {
//		store.Output
//		url, table string
//	}
//
//	func (o *clickhouse) Options(opts *engine.Options) {
//		opts.String(&o.url, "url", "http://127.0.0.1:8123", "where the server listens")
//		o.Declare(opts)
//	}
//
//	func (o *clickhouse) Bind(p *engine.Binder) engine.Stage {
//		return o.BindStore(p, o, store.All(p)) // every key: the table is not known yet
//	}
//
//	func (o *clickhouse) Name() string { return o.url } // for messages: without secrets
//	func (o *clickhouse) Doctor(d *engine.DoctorReport) { o.Output.Doctor(d); o.Check(d) }
//	func (o *clickhouse) Connect(ctx context.Context, env *engine.Env) (store.Conn, error) { ... }
//
//	func (c *conn) Send(ctx context.Context, rows *store.Rows) error {
//		plan := c.planFor(rows.Shape) // looked up by the pointer, made once: which keys, in which order
//		v := c.values[:len(rows.Shape.Keys)]
//		for i := range rows.Len() {
//			rows.Read(i, v)
//			for _, k := range plan {
//				... v[k].Valid, v[k].N, v[k].Bytes, v[k].Addr() ...
//			}
//		}
//		...
//	}
//
// # Rows
//
// A row is a bitmap of the keys that it has and their values one after the other: numbers in their
// width, little-endian, addresses with their IP version in front, texts with their length. It is
// decoded by the [Shape], the names and types of the keys, which all rows of a batch share and which
// lies beside them in the spool: so rows need to know no table, and a store that is down when the
// daemon starts, or is another one in the next run, gets them all the same.
//
// # Batches
//
// A batch leaves when it has Octets of rows or is flush_interval old. It has an ID; [Rows.ID] names
// each piece that is sent, and names the same rows whenever that is sent again, also by a later run
// that finds it in the spool. A store that keeps the IDs of what it has taken recognises a batch
// whose answer was lost.
//
// # Goroutines
//
// The output's goroutine encodes rows; a goroutine of the store's own connects and sends. They hand
// batches to each other and share nothing else. Connect and Send are called from that goroutine
// alone.
package store
