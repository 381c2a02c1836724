// Package parquet is the PARQUET output: columns in files for DuckDB, Spark and Athena.
package parquet

import (
	"context"
	"fmt"
	"time"

	"ulogd/engine"
	"ulogd/engine/doctor"
	"ulogd/plugins/output/store"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "PARQUET",
		Doc: `Writes Apache Parquet files, compressed with zstd, into folders dt=YYYY-MM-DD/hour=HH of a directory: what
DuckDB, Spark, Athena and pandas read as one table.

A row goes into the folder of its own hour, in UTC: of flow.end, ct.end, flow.start or oob.time, the first that it
has, else of when it is written. Columns are named as keys, with _ for each dot. Whole numbers have their width and
sign, times are timestamps of microseconds in UTC, addresses, hardware addresses and connlabels are text (DuckDB's
extension inet makes more of them: column::INET), raw data are octets; what a record lacks is null. Stacks with other
keys make files with other columns: give them a directory each, or read with union_by_name.

Rows gather in row groups of row_group rows, sorted by time. A file has a hidden name, .NAME.parquet.unfinished, while
it is written; when it has rotate_size or a hundred row groups, is rotate_seconds old, at SIGHUP and at the end of the
daemon it is synced to disk and gets its name. Four hours at most are open at once: records that come later than that
make small files.

Rows are counted as held until their row group is in the file. A daemon that is killed loses these, at most those of
rotate_seconds; the row groups before them are saved by the next run, which ends unfinished files behind their last
whole row group. While the disk is full row groups wait, and with them records in buffer and spool; those that find no
room until the end of the daemon are counted as unfinished.

    SELECT orig_ip_saddr, sum(orig_raw_pktlen) FROM read_parquet('/var/lib/ulogd/flows/**/*.parquet')
    WHERE dt = '2026-11-26' GROUP BY ALL ORDER BY 2 DESC LIMIT 10;`,
		Example: `stack = "ct1:NFCT,parquet1:PARQUET"

[parquet1]
directory = "/var/lib/ulogd/flows"
rotate_seconds = 600
`,
		Output: func() engine.Output { return &parquet{} },
	})
}

type parquet struct {
	store.Output
	files

	keys engine.Selection
}

// The optional parts of the contract that it implements (engine/plugin.go).
var (
	_ engine.Validator = (*parquet)(nil)
	_ engine.Opener    = (*parquet)(nil)
	_ engine.Ticker    = (*parquet)(nil)
	_ engine.Closer    = (*parquet)(nil)
	_ engine.Doctored  = (*parquet)(nil)
)

func (o *parquet) Options(opts *engine.Options) {
	opts.String(&o.dir, "directory", "/var/lib/ulogd/parquet",
		"where the folders of days and hours are; it is made if it is missing")
	opts.Fills("directory")
	opts.Size(&o.rotateSize, "rotate_size", 256<<20, "size at which a file is ended")
	opts.Seconds(&o.rotateAge, "rotate_seconds", 5*time.Minute,
		"age at which a file is ended; what a killed daemon loses is never older")
	engine.Range(opts, &o.groupRows, "row_group", 122880, 10_000, 10_000_000,
		"rows of a row group; they wait in memory, some 150 octets each. Readers share work out by row groups")
	opts.Strings(&o.keys.Keys, "keys", nil,
		"keys that become columns, in this order; unset: every key of the stack but whole packets")
	o.Declare(opts)
	o.DeclareReconnect(opts)
}

func (o *parquet) Validate() error {
	switch {
	case o.dir == "":
		return fmt.Errorf("directory: must not be empty")
	case o.rotateSize < 1<<20:
		return fmt.Errorf("rotate_size: must be at least 1MiB, is %s", engine.FormatSize(o.rotateSize))
	case o.rotateAge < time.Second:
		return fmt.Errorf("rotate_seconds: must be at least 1, is %v", o.rotateAge.Seconds())
	}
	return o.Output.Validate()
}

func (o *parquet) Bind(p *engine.Binder) engine.Stage {
	return o.BindStore(p, o, store.Selected(p, &o.keys))
}

func (o *parquet) Open(env *engine.Env) error {
	o.files.open(env)
	return o.Output.Open(env)
}

// Tick ends files that are old enough, also while no records come.
func (o *parquet) Tick(now time.Time) {
	o.Output.Tick(now)
	o.files.tick(now)
}

// Close ends all files; rows that no file takes are dropped.
func (o *parquet) Close() error {
	err := o.Output.Close()
	o.files.giveUp()
	return err
}

// Doctor looks whether files can be made.
func (o *parquet) Doctor(d *engine.DoctorReport) {
	o.Output.Doctor(d)
	doctor.Writable(d, o.dir+"/.ulogd.parquet")
}

// Name implements store.Store.
func (o *parquet) Name() string { return o.dir }

// Connect makes the directory, saves what a daemon that was killed has left there, and writes what
// waits.
func (o *parquet) Connect(_ context.Context, _ *engine.Env, _ []*store.Shape) (store.Conn, error) {
	if err := o.files.begin(); err != nil {
		return nil, err
	}
	return conn{&o.files}, nil
}

// A conn is the files between two SIGHUPs, or two errors.
type conn struct{ *files }

// Send takes rows into memory; they are counted once they are in a file.
func (c conn) Send(_ context.Context, rows *store.Rows) error { return c.add(rows) }

// Close ends all files, so that others can read what was written until now.
func (c conn) Close() error { return c.endAll() }
