// Package clickhouse is the CLICKHOUSE output: rows for a column store, over HTTP.
package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"ulogd/engine"
	"ulogd/engine/doctor"
	"ulogd/plugins/output/store"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "CLICKHOUSE",
		Doc: `Inserts rows into a table of ClickHouse, over HTTP or HTTPS, in RowBinary: every flush_interval, or when 8 MiB
have gathered, some 80,000 rows. Any server from 18.16 on will do.

A column is filled by the key of its name, with _ for each dot, in the column's own type: numbers, String,
FixedString(16), IPv4, IPv6, DateTime, DateTime64, each also Nullable and LowCardinality. Numbers that do not fit are
cut as the server would. A column time that no key gives has flow.end, ct.end, flow.start or oob.time, the first that
a row has, else the time of sending. Columns without a key have their default. With create = true the table is made
where it is missing: a MergeTree, divided by day and ordered by time, that forgets rows after retention. Without it
the log has the statement.

Several servers may be named: rows are dealt among them by a hash of addresses, ports and protocol, the same for both
directions of a flow. A Distributed table over them is yours to make.

While a server does not answer, rows wait in buffer and spool. An insert whose answer was lost is repeated with the
same insert_deduplication_token: servers from 22.2 on know it again, if the table has
non_replicated_deduplication_window (made tables do); on older ones its rows may be there twice. Rows that the server
refuses for their values are counted as refused.`,
		Example: `stack = "ct1:NFCT,clickhouse1:CLICKHOUSE"

[clickhouse1]
url = "https://clickhouse.example.org:8443"
user = "ulogd"
pass_file = "/etc/ulogd/clickhouse.pass"
table = "flows"
create = true
retention = "90d"
spool = "/var/spool/ulogd/clickhouse"
`,
		Output: func() engine.Output { return &clickhouse{} },
	})
}

type clickhouse struct {
	store.Output

	urls            []string
	database, table string
	user            string
	pass            store.Secret
	ca              string
	create          bool
	retention       store.Retention
	compression     string
	keys            engine.Selection

	taken []piece // by shard: what it was last sent
}

// The optional parts of the contract that it implements (engine/plugin.go).
var (
	_ engine.Validator = (*clickhouse)(nil)
	_ engine.Doctored  = (*clickhouse)(nil)
)

func (o *clickhouse) Options(opts *engine.Options) {
	opts.Strings(&o.urls, "url", []string{"http://127.0.0.1:8123"},
		"where servers listen: http:// or https://, host and port; several are shards")
	opts.String(&o.database, "database", "default", "name of the database; it must exist")
	opts.String(&o.table, "table", "ulogd", "name of the table")
	opts.String(&o.user, "user", "default", "name of the user")
	o.pass.Declare(opts, "pass")
	opts.String(&o.ca, "ca", "", "file of certificates, in PEM, that vouch for https servers; unset: those of the system")
	opts.Reads("ca")
	opts.Bool(&o.create, "create", false, "make the table if it is missing")
	o.retention.Declare(opts, "how long a made table keeps rows, on servers before 20 whole days")
	opts.Enum(&o.compression, "compression", "gzip", []string{"none", "gzip"}, "how inserts are compressed on their way")
	opts.Strings(&o.keys.Keys, "keys", nil, "keys that rows have; unset: every key of the stack but whole packets")
	o.Declare(opts)
	o.DeclareNetwork(opts)
	o.DeclareReconnect(opts)
}

func (o *clickhouse) Validate() error {
	if len(o.urls) == 0 {
		return errors.New("url: must not be empty")
	}
	for _, text := range o.urls {
		u, err := url.Parse(text)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			return errors.New("url: must be http://HOST:PORT or https://HOST:PORT; user and password are options of their own")
		case u.User != nil:
			return errors.New("url: must not have a user in it; set user and pass_file")
		}
	}
	if o.table == "" || o.database == "" {
		return errors.New("table: must not be empty, nor database")
	}
	return errors.Join(o.retention.Validate(), o.Output.Validate())
}

func (o *clickhouse) Bind(p *engine.Binder) engine.Stage {
	o.Octets = 8 << 20
	return o.BindStore(p, o, store.Selected(p, &o.keys))
}

// Doctor looks whether the servers can be found.
func (o *clickhouse) Doctor(d *engine.DoctorReport) {
	o.Output.Doctor(d)
	for _, text := range o.urls {
		if u, err := url.Parse(text); err == nil {
			doctor.Resolves(d, u.Hostname())
		}
	}
}

// Name implements store.Store.
func (o *clickhouse) Name() string {
	return fmt.Sprintf("%s/%s.%s", strings.Join(o.urls, ","), o.database, o.table)
}

// Connect asks every server for its table.
func (o *clickhouse) Connect(ctx context.Context, _ *engine.Env, shapes []*store.Shape) (store.Conn, error) {
	if o.taken == nil {
		o.taken = make([]piece, len(o.urls))
	}
	client, err := o.newClient()
	if err != nil {
		return nil, err
	}
	c := &conn{output: o, plans: store.Plans[plan]{}}
	for _, u := range o.urls {
		s := &server{client: client, url: strings.TrimSuffix(u, "/")}
		if err := s.describe(ctx, shapes); err != nil {
			return nil, fmt.Errorf("%s: %w", u, err)
		}
		c.shards = append(c.shards, s)
	}
	return c, nil
}
