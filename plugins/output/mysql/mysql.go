// Package mysql is the MYSQL output: rows in MySQL and MariaDB.
package mysql

import (
	"errors"
	"fmt"

	"ulogd/engine"
	"ulogd/engine/doctor"
	"ulogd/plugins/output/store"
	"ulogd/plugins/output/store/table"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "MYSQL",
		Doc: `Writes a row per record into a table of MySQL or MariaDB, or calls a function of it with each record.

The table says which keys: a column is named as its key, with _ for each dot; NAME_sec and NAME_usec are the parts of a
time; the first column is the database's own. A column that no plugin of the stack fills, or a table that is not there,
is said in the log, and the records wait until that is mended. The server need not be there when the daemon starts.

With procedure = INSERT rows go by LOAD DATA LOCAL where the table has transactions and the server allows it
(local_infile), otherwise a statement inserts many; a function or a procedure is called with many rows in one
transaction. What LOAD DATA would skip or bend is taken back and inserted. A record that the server refuses costs
itself alone. When the connection breaks while rows are being committed, they are sent again: they may then be there
twice; so may rows of tables without transactions (MyISAM, Aria), of which a refused batch leaves a part.

Whether a value that does not fit its column is refused or bent is the server's sql_mode to say. ulogd2's own tables
have no room for the protocol of IPv6 packets, which a strict server, the default of today, refuses; this mends them:
ALTER TABLE mac MODIFY mac_protocol smallint unsigned, and ulog2 MODIFY oob_protocol in the flat schema.

Addresses are text; sixteen octets where the column is binary, as IP2BIN's are; in a column of whole numbers one of IPv4
is the number that its octets spell.

With layout = "native" the tables are the output's own: flows, packets, counters, with a column for each key of the
stack; addresses are text, times datetime in UTC. What the database has taken of a batch is noted in ulogd_batches, in
the same transaction, so that a batch that is sent again is not there twice. retention deletes rows. The views
flows_last_hour and top_talkers are made once, and may be changed.`,
		Example: `stack = "ct1:NFCT,ip2bin1:IP2BIN,db1:MYSQL"

[db1]
host = "localhost"
db = "ulogd"
user = "ulogd"
pass_file = "/etc/ulogd/mysql.password"
table = "conntrack"
procedure = "INSERT_CT"
spool = "/var/spool/ulogd/mysql"
`,
		Compat: true,
		Output: func() engine.Output { return &output{} },
	})
}

type output struct {
	store.Output
	server
	layout table.Layout
}

// The optional parts of the contract that it implements (engine/plugin.go).
var (
	_ engine.Validator = (*output)(nil)
	_ engine.Doctored  = (*output)(nil)
	_ store.Store      = (*output)(nil)
)

func (o *output) Options(opts *engine.Options) {
	o.server.declare(opts)
	o.layout.DeclareProcedure(opts)
	o.layout.Declare(opts)
	o.Declare(opts)
	o.DeclareNetwork(opts)
	o.DeclareULOGD2(opts)
}

func (o *output) Validate() error {
	var all error
	for _, need := range []struct{ name, value string }{{"db", o.DB}, {"user", o.User}} {
		if need.value == "" {
			all = errors.Join(all, fmt.Errorf("%s: must be set", need.name))
		}
	}
	return errors.Join(all, o.layout.Validate(), o.Output.Validate())
}

func (o *output) Bind(p *engine.Binder) engine.Stage {
	o.Within = o.Timeout()
	return o.BindStore(p, o, o.layout.Fields(p))
}

// Doctor looks at the spool, and resolves the server's name.
func (o *output) Doctor(d *engine.DoctorReport) {
	o.Output.Doctor(d)
	if network, _ := o.address(); network == "tcp" {
		doctor.Resolves(d, o.Host)
	}
}
