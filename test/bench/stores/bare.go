// What the libraries alone do with such rows, each in the way that its manual shows for many rows.

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// A flow is a row.
type flow struct {
	Family                          uint8
	Etype                           uint16
	Src, Dst                        netip.Addr
	Proto                           uint8
	Sport, Dport                    uint16
	Octets, Packets, Roctets, Rpkts uint64
	Mark, Event                     uint32
	Start, End                      time.Time
}

// rows draws flows as GEN does: of 1,000 clients and 128 servers, 15 in a hundred of IPv6.
type rows struct {
	x     uint64
	clock time.Time
}

func newRows() *rows { return &rows{1, time.Unix(1704067200, 0).UTC()} }

func (r *rows) next() (f flow) {
	r.x ^= r.x << 13
	r.x ^= r.x >> 7
	r.x ^= r.x << 17
	x := r.x
	f = flow{Family: 2, Etype: 0x800, Proto: 6, Sport: uint16(32768 + x>>20%28232), Dport: 443, Event: 4}
	h, s := x%1000, x>>32&0x7f
	f.Src, f.Dst = netip.AddrFrom4([4]byte{10, 0, byte(1 + h>>8), byte(h)}), netip.AddrFrom4([4]byte{198, 51, 100, byte(s)})
	if x>>40%100 < 15 {
		f.Family, f.Etype = 10, 0x86dd
		f.Src, f.Dst = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 13: 1, 14: byte(h >> 8), 15: byte(h)}),
			netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 7: 1, 15: byte(s)})
	}
	k := 1 + x>>8&15
	f.Packets, f.Octets, f.Rpkts, f.Roctets = k, 40+k*(x>>12&511), k+2, 40+k*(x>>16&1023)
	r.clock = r.clock.Add(100 * time.Microsecond)
	f.End, f.Start = r.clock, r.clock.Add(-time.Duration(x>>30&0xffffffff))
	return f
}

func runBare(name string, args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	at := args[1:]
	switch name {
	case "SQLITE3":
		return bareSQLite(n, at[0])
	case "PGSQL COPY":
		return barePGSQL(n, at[0])
	case "MYSQL LOAD DATA", "MYSQL INSERT":
		return bareMySQL(n, at[0], at[1], at[2] == "load")
	case "CLICKHOUSE":
		return bareClickHouse(n, at[0])
	case "KAFKA":
		return bareKafka(n, at[0])
	}
	return bareParquet(n, at[0])
}

func bareSQLite(n int, path string) error {
	db, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := sqlitex.ExecuteTransient(db, "PRAGMA journal_mode = WAL", nil); err != nil {
		return err
	}
	if err := sqlitex.ExecuteTransient(db, "PRAGMA synchronous = FULL", nil); err != nil {
		return err
	}
	insert, err := db.Prepare("INSERT INTO t (" + names() + ") VALUES (?" + strings.Repeat(", ?", len(columns)-1) + ")")
	if err != nil {
		return err
	}
	r := newRows()
	for done := 0; done < n; done += 2000 {
		if err := sqlitex.Execute(db, "BEGIN IMMEDIATE", nil); err != nil {
			return err
		}
		for range min(2000, n-done) {
			f := r.next()
			src, dst := f.Src.String(), f.Dst.String()
			for i, v := range [...]int64{
				1: int64(f.Family), int64(f.Etype), 0, 0, int64(f.Proto), int64(f.Sport), int64(f.Dport), int64(f.Octets), int64(f.Packets),
				0, 0, int64(f.Proto), int64(f.Dport), int64(f.Sport), int64(f.Roctets), int64(f.Rpkts), int64(f.Mark), int64(f.Event),
				f.Start.UnixNano(), f.End.UnixNano(),
			} {
				switch i {
				case 0:
				case 3, 11:
					insert.BindText(i, src)
				case 4, 10:
					insert.BindText(i, dst)
				default:
					insert.BindInt64(i, v)
				}
			}
			if _, err := insert.Step(); err != nil {
				return err
			}
			if err := insert.Reset(); err != nil {
				return err
			}
		}
		if err := sqlitex.Execute(db, "COMMIT", nil); err != nil {
			return err
		}
	}
	return nil
}

// values are a row for pgx.
func (f *flow) values() []any {
	return []any{
		int16(f.Family), int32(f.Etype), f.Src, f.Dst, int16(f.Proto), int32(f.Sport), int32(f.Dport), int64(f.Octets), int64(f.Packets),
		f.Dst, f.Src, int16(f.Proto), int32(f.Dport), int32(f.Sport), int64(f.Roctets), int64(f.Rpkts), int64(f.Mark), int64(f.Event),
		f.Start, f.End,
	}
}

func barePGSQL(n int, at string) error {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, at)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	var list []string
	for _, col := range columns {
		list = append(list, col.name)
	}
	r, done := newRows(), 0
	_, err = c.CopyFrom(ctx, pgx.Identifier{"t"}, list, pgx.CopyFromFunc(func() ([]any, error) {
		if done++; done > n {
			return nil, nil
		}
		f := r.next()
		return f.values(), nil
	}))
	return err
}

func bareMySQL(n int, socket, database string, load bool) error {
	c := driver.NewConfig()
	c.Net, c.Addr, c.User, c.DBName, c.InterpolateParams = "unix", socket, "root", database, true
	at, err := driver.NewConnector(c)
	if err != nil {
		return err
	}
	db := sql.OpenDB(at)
	defer db.Close()
	r := newRows()
	if !load {
		const each = 1000
		row := "(?" + strings.Repeat(",?", len(columns)-1) + ")"
		text := "INSERT INTO t (" + names() + ") VALUES " + row + strings.Repeat(","+row, each-1)
		for done := 0; done < n; done += each {
			args := make([]any, 0, each*len(columns))
			for range each {
				f := r.next()
				src, dst := f.Src.String(), f.Dst.String()
				args = append(args, f.Family, f.Etype, src, dst, f.Proto, f.Sport, f.Dport, f.Octets, f.Packets, dst, src, f.Proto, f.Dport, f.Sport,
					f.Roctets, f.Rpkts, f.Mark, f.Event, f.Start, f.End)
			}
			if _, err := db.Exec(text, args...); err != nil {
				return err
			}
		}
		return nil
	}
	const each = 10000
	driver.RegisterReaderHandler("rows", func() io.Reader {
		var b bytes.Buffer
		const layout = "2006-01-02 15:04:05.000000"
		for range min(each, n) {
			f := r.next()
			fmt.Fprintf(&b, "%d\t%d\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%[4]s\t%[3]s\t%[5]d\t%[7]d\t%[6]d\t%[10]d\t%[11]d\t%[12]d\t%[13]d\t%[14]s\t%[15]s\n",
				f.Family, f.Etype, f.Src, f.Dst, f.Proto, f.Sport, f.Dport, f.Octets, f.Packets, f.Roctets, f.Rpkts, f.Mark, f.Event,
				f.Start.Format(layout), f.End.Format(layout))
		}
		return &b
	})
	for done := 0; done < n; done += each {
		if _, err := db.Exec("LOAD DATA LOCAL INFILE 'Reader::rows' INTO TABLE t CHARACTER SET binary (" + names() + ")"); err != nil {
			return err
		}
	}
	return nil
}

func bareClickHouse(n int, at string) error {
	r := newRows()
	le := binary.LittleEndian
	for done := 0; done < n; done += 80000 {
		var b []byte
		addr := func(a netip.Addr) {
			octets := a.As16()
			b = append(append(b, 0), octets[:]...)
		}
		for range min(80000, n-done) {
			f := r.next()
			b = append(le.AppendUint32(b, uint32(f.End.Unix())), 0, f.Family, 0)
			b = le.AppendUint16(b, f.Etype)
			addr(f.Src)
			addr(f.Dst)
			b = append(le.AppendUint16(append(le.AppendUint16(append(b, 0, f.Proto, 0), f.Sport), 0), f.Dport), 0)
			b = le.AppendUint64(append(le.AppendUint64(b, f.Octets), 0), f.Packets)
			addr(f.Dst)
			addr(f.Src)
			b = append(le.AppendUint16(append(le.AppendUint16(append(b, 0, f.Proto, 0), f.Dport), 0), f.Sport), 0)
			b = append(le.AppendUint64(append(le.AppendUint64(b, f.Roctets), 0), f.Rpkts), 0)
			b = append(le.AppendUint32(append(le.AppendUint32(b, f.Mark), 0), f.Event), 0)
			b = le.AppendUint32(append(le.AppendUint32(b, uint32(f.Start.Unix())), 0), uint32(f.End.Unix()))
		}
		var zipped bytes.Buffer
		w, _ := gzip.NewWriterLevel(&zipped, gzip.BestSpeed)
		w.Write(b)
		if err := w.Close(); err != nil {
			return err
		}
		query := "INSERT INTO ulogd (time, " + names() + ") FORMAT RowBinary"
		req, err := http.NewRequest(http.MethodPost, at+"/?query="+url.QueryEscape(query), &zipped)
		if err != nil {
			return err
		}
		req.Header.Set("Content-Encoding", "gzip")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", res.Status, text)
		}
	}
	return nil
}

// A message has what one of the daemon's has.
type message struct {
	Timestamp  time.Time  `json:"timestamp"`
	Family     uint8      `json:"oob.family"`
	Etype      uint16     `json:"oob.protocol"`
	Src        netip.Addr `json:"orig.ip.saddr"`
	Dst        netip.Addr `json:"orig.ip.daddr"`
	Proto      uint8      `json:"orig.ip.protocol"`
	Sport      uint16     `json:"orig.l4.sport"`
	Dport      uint16     `json:"orig.l4.dport"`
	Octets     uint64     `json:"orig.raw.pktlen"`
	Packets    uint64     `json:"orig.raw.pktcount"`
	ReplySrc   netip.Addr `json:"reply.ip.saddr"`
	ReplyDst   netip.Addr `json:"reply.ip.daddr"`
	ReplyProto uint8      `json:"reply.ip.protocol"`
	ReplySport uint16     `json:"reply.l4.sport"`
	ReplyDport uint16     `json:"reply.l4.dport"`
	Roctets    uint64     `json:"reply.raw.pktlen"`
	Rpkts      uint64     `json:"reply.raw.pktcount"`
	Mark       uint32     `json:"ct.mark"`
	Event      uint32     `json:"ct.event"`
	Start      int64      `json:"flow.start"`
	End        int64      `json:"flow.end"`
}

func bareKafka(n int, at string) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(at), kgo.DefaultProduceTopic("flows"), kgo.MaxBufferedRecords(1<<16))
	if err != nil {
		return err
	}
	defer c.Close()
	r := newRows()
	var failed error
	for range n {
		f := r.next()
		value, err := json.Marshal(&message{
			f.End, f.Family, f.Etype, f.Src, f.Dst, f.Proto, f.Sport, f.Dport, f.Octets, f.Packets,
			f.Dst, f.Src, f.Proto, f.Dport, f.Sport, f.Roctets, f.Rpkts, f.Mark, f.Event, f.Start.UnixNano(), f.End.UnixNano(),
		})
		if err != nil {
			return err
		}
		c.Produce(context.Background(), &kgo.Record{Key: f.Src.AsSlice(), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed = err
			}
		})
	}
	if err := c.Flush(context.Background()); err != nil {
		return err
	}
	return failed
}

// A record is a row for parquet-go.
type record struct {
	Family   uint8  `parquet:",optional,dict"`
	Etype    uint16 `parquet:",optional,dict"`
	Src      string `parquet:",optional,dict"`
	Dst      string `parquet:",optional,dict"`
	Proto    uint8  `parquet:",optional,dict"`
	Sport    uint16 `parquet:",optional,dict"`
	Dport    uint16 `parquet:",optional,dict"`
	Octets   uint64 `parquet:",optional,delta"`
	Packets  uint64 `parquet:",optional,delta"`
	ReplySrc string `parquet:",optional,dict"`
	ReplyDst string `parquet:",optional,dict"`
	Rproto   uint8  `parquet:",optional,dict"`
	Rsport   uint16 `parquet:",optional,dict"`
	Rdport   uint16 `parquet:",optional,dict"`
	Roctets  uint64 `parquet:",optional,delta"`
	Rpkts    uint64 `parquet:",optional,delta"`
	Mark     uint32 `parquet:",optional,delta"`
	Event    uint32 `parquet:",optional,delta"`
	Start    int64  `parquet:",optional,delta,timestamp(microsecond)"`
	End      int64  `parquet:",optional,delta,timestamp(microsecond)"`
}

func bareParquet(n int, dir string) error {
	out, err := os.Create(filepath.Join(dir, "bare.parquet"))
	if err != nil {
		return err
	}
	defer out.Close()
	w := pq.NewGenericWriter[record](out, pq.Compression(&zstd.Codec{Level: zstd.SpeedFastest}), pq.MaxRowsPerRowGroup(122880))
	r, rows := newRows(), make([]record, 1024)
	for done := 0; done < n; {
		k := min(len(rows), n-done)
		for i := range k {
			f := r.next()
			src, dst := f.Src.String(), f.Dst.String()
			rows[i] = record{
				f.Family, f.Etype, src, dst, f.Proto, f.Sport, f.Dport, f.Octets, f.Packets, dst, src, f.Proto, f.Dport, f.Sport,
				f.Roctets, f.Rpkts, f.Mark, f.Event, f.Start.UnixMicro(), f.End.UnixMicro(),
			}
		}
		if _, err := w.Write(rows[:k]); err != nil {
			return err
		}
		done += k
	}
	if err := w.Close(); err != nil {
		return err
	}
	return out.Sync()
}

// rowsOf returns how many rows a Parquet file has.
func rowsOf(t testing.TB, path string) int {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	file, err := pq.OpenFile(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	return int(file.NumRows())
}
