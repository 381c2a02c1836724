// Package pgsql is the PGSQL output: rows in PostgreSQL.
package pgsql

import (
	"errors"
	"strings"

	"ulogd/engine"
	"ulogd/engine/doctor"
	"ulogd/plugins/output/store"
	"ulogd/plugins/output/store/table"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "PGSQL",
		Doc: `Writes a row per record into a table of PostgreSQL, or calls a function of it with each record.

The table says which keys: a column is named as its key, with _ for each dot; NAME_sec and NAME_usec are the parts of a
time; a first column whose name begins with _ is the database's own. A column that no plugin of the stack fills, or a
table that is not there, is said in the log, and the records wait until that is mended. The server need not be there
when the daemon starts.

With procedure = INSERT rows go by COPY, many in one transaction, where all columns are of types that its binary form
is known for; a function or another statement is called with many rows in one transaction. A record that the server
refuses costs itself alone. When the connection breaks while rows are being committed, they are sent again: they may
then be there twice.

Addresses fit columns of the types inet and text, and as sixteen octets bytea; in a column of whole numbers one of IPv4
is the number that its octets spell.

With layout = "native" the tables are the output's own: flows, packets, counters, with a column for each key of the
stack, partitioned by the day of their column time. What the database has taken of a batch is noted in ulogd_batches, in
the same transaction, so that a batch that is sent again is not there twice. retention drops partitions. The views
flows_last_hour and top_talkers are made once, and may be changed.`,
		Example: `stack = "ct1:NFCT,ip2str1:IP2STR,db1:PGSQL"

[db1]
host = "/run/postgresql"
db = "ulogd"
user = "ulogd"
pass_file = "/etc/ulogd/pgsql.password"
table = "ulog2_ct"
procedure = "INSERT_CT"
spool = "/var/spool/ulogd/pgsql"
`,
		Compat: true,
		Output: func() engine.Output { return &output{} },
	})
}

type output struct {
	store.Output
	server
	layout table.Layout
	schema string
}

// The optional parts of the contract that it implements (engine/plugin.go).
var (
	_ engine.Validator = (*output)(nil)
	_ engine.Doctored  = (*output)(nil)
	_ store.Store      = (*output)(nil)
)

func (o *output) Options(opts *engine.Options) {
	o.server.declare(opts)
	opts.String(&o.schema, "schema", "public", "the schema that the table is in")
	o.layout.DeclareProcedure(opts)
	o.layout.Declare(opts)
	o.Declare(opts)
	o.DeclareNetwork(opts)
	o.DeclareULOGD2(opts)
}

func (o *output) Validate() error {
	return errors.Join(o.server.validate(), o.layout.Validate(), o.Output.Validate())
}

func (o *output) Bind(p *engine.Binder) engine.Stage {
	o.Within = o.Timeout()
	return o.BindStore(p, o, o.layout.Fields(p))
}

// Doctor looks at the spool, and resolves the server's name.
func (o *output) Doctor(d *engine.DoctorReport) {
	o.Output.Doctor(d)
	if o.Host != "" && !strings.HasPrefix(o.Host, "/") {
		doctor.Resolves(d, o.Host)
	}
}
