//go:build !mips && !mipsle

// Package sqlite3 is the SQLITE3 output: a row per record in a table of an SQLite file.
package sqlite3

import (
	"errors"

	"ulogd/engine"
	"ulogd/engine/doctor"
	"ulogd/engine/safefile"
	"ulogd/plugins/output/store"
	"ulogd/plugins/output/store/table"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "SQLITE3",
		Doc: `Writes a row per record into a table of an SQLite file.

The table says which keys: a column is named as its key, with _ for each dot; NAME_sec and NAME_usec are the parts of a
time. A column that no plugin of the stack fills, or a table that is not there, is said in the log, and the records wait
until that is mended.

Addresses are text, as IP2STR writes them; where the column is declared BLOB, sixteen octets; and where it is declared a
whole number, one of IPv4 is the number that its octets spell. Numbers are what they are: ulogd2 writes those of 2^31
and above as negative ones, and addresses as the number that their octets make in the memory of the machine.

Rows are written many in one transaction, in WAL mode, so that readers are not in the way. A file that is locked, or a
full disk, is waited for; a record that breaks a constraint of the table costs itself alone.

With layout = "native" the tables are the output's own: flows, packets, counters, with a column for each key of the
stack; times are texts in UTC, which SQLite's functions read. What was taken of a batch is noted in ulogd_batches, in
the same transaction. The views flows_last_hour and top_talkers are made once, and may be changed.`,
		Example: `stack = "ct1:NFCT,db1:SQLITE3"

[db1]
db = "/var/lib/ulogd/ulogd.sqlite3"
table = "ulog_ct"
`,
		Compat: true,
		Output: func() engine.Output { return &output{} },
	})
}

type output struct {
	store.Output
	layout table.Layout
	db     string
}

// The optional parts of the contract that it implements (engine/plugin.go).
var (
	_ engine.Validator = (*output)(nil)
	_ engine.Opener    = (*output)(nil)
	_ engine.Doctored  = (*output)(nil)
	_ store.Store      = (*output)(nil)
)

func (o *output) Options(opts *engine.Options) {
	opts.String(&o.db, "db", "", "the file; it is made if it is not there. SQLite makes others beside it and goes by "+
		"their names: as root, without -u, the directory must be one that root alone can write")
	opts.Writes("db")
	o.layout.Declare(opts)
	o.Declare(opts)
	o.DeclareReconnect(opts)
}

func (o *output) Validate() error {
	var all error
	if o.db == "" {
		all = errors.Join(all, errors.New("db: must be set to the path of the file"))
	}
	return errors.Join(all, o.layout.Validate(), o.Output.Validate())
}

func (o *output) Bind(p *engine.Binder) engine.Stage {
	return o.BindStore(p, o, o.layout.Fields(p))
}

// Open refuses at the start what can never be opened.
func (o *output) Open(env *engine.Env) error {
	if err := safefile.Library(o.db); err != nil {
		return err
	}
	return o.Output.Open(env)
}

// Doctor looks at the file, too.
func (o *output) Doctor(d *engine.DoctorReport) {
	o.Output.Doctor(d)
	if err := safefile.Library(o.db); err != nil {
		d.Find(err.Error(), "the daemon will not start as root without -u", "start ulogd with -u USER who owns that "+
			"directory, or correct db")
		return
	}
	doctor.Writable(d, o.db)
}

// Name is the path of the file.
func (o *output) Name() string { return o.db }
