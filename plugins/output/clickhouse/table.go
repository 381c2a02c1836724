// The table: what it is, and how it is made.

package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/store"
)

// A server is one shard.
type server struct {
	*client
	url     string
	modern  bool // has IPv6, DateTime64, LowCardinality and TTL
	tokens  bool // knows insert_deduplication_token
	columns []described

	body []byte
	rows int
}

// A described column is one of the table's that rows can fill.
type described struct {
	name string
	columnType
}

func quote(name string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
}

func literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

// ask runs a statement without a body.
func (s *server) ask(ctx context.Context, statement string) (string, error) {
	return s.run(ctx, s.url, statement, nil, nil, nil)
}

// describe finds out what the server can and what the table has, and makes it if that is wanted.
func (s *server) describe(ctx context.Context, shapes []*store.Shape) error {
	version, err := s.ask(ctx, "SELECT version()")
	if err != nil {
		return err
	}
	major, _, _ := strings.Cut(version, ".")
	n, _ := strconv.Atoi(major)
	s.modern = n >= 20
	tokens, err := s.ask(ctx, "SELECT count() FROM system.settings WHERE name = 'insert_deduplication_token'")
	if err != nil {
		return err
	}
	s.tokens = tokens == "1"
	if s.columns, err = s.read(ctx); err != nil {
		return err
	}
	if len(s.columns) == 0 {
		statement := s.statement(shapes)
		if !s.output.create {
			return fmt.Errorf("there is no table %s; set create = true, or make it: %s", s.output.table, statement)
		}
		if _, err := s.ask(ctx, statement); err != nil {
			return fmt.Errorf("make the table: %w", err)
		}
		if s.columns, err = s.read(ctx); err != nil {
			return err
		}
	}
	for _, shape := range shapes {
		if _, err := planFor(shape, s.columns); err != nil {
			return err
		}
	}
	return nil
}

// read returns the columns of the table.
func (s *server) read(ctx context.Context) (list []described, err error) {
	answer, err := s.ask(ctx, "SELECT name, type FROM system.columns WHERE database = "+literal(s.output.database)+
		" AND table = "+literal(s.output.table)+" AND default_kind NOT IN ('MATERIALIZED', 'ALIAS') FORMAT TabSeparated")
	if err != nil || answer == "" {
		return nil, err
	}
	any := false
	for line := range strings.Lines(answer) {
		name, typ, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		any = true
		if t, ok := parseType(strings.ReplaceAll(typ, `\'`, "'")); ok {
			list = append(list, described{name, t})
		}
	}
	if any && list == nil {
		return nil, errors.New("the table has no column of a type that rows can fill")
	}
	return list, nil
}

// statement returns what makes the table for rows of these shapes.
func (s *server) statement(shapes []*store.Shape) string {
	columns := []string{"time DateTime('UTC')"}
	if !s.modern {
		columns[0] = "time DateTime"
	}
	var names []string
	for _, shape := range shapes {
		for _, k := range shape.Keys {
			name := strings.ReplaceAll(k.Name, ".", "_")
			if !slices.Contains(names, name) && name != "time" {
				names = append(names, name)
				columns = append(columns, quote(name)+" "+s.typeFor(k))
			}
		}
	}
	text := "CREATE TABLE IF NOT EXISTS " + quote(s.output.table) + " (" + strings.Join(columns, ", ") +
		") ENGINE = MergeTree PARTITION BY toYYYYMMDD(time) ORDER BY time"
	if s.modern && s.output.retention.Duration > 0 {
		text += fmt.Sprintf(" TTL time + INTERVAL %d SECOND", int(s.output.retention.Seconds()))
	}
	if s.tokens {
		text += " SETTINGS non_replicated_deduplication_window = 1000"
	}
	return text
}

// typeFor returns the type of the column that a made table has for a key.
func (s *server) typeFor(k store.Key) string {
	switch k.Type {
	case engine.BoolType:
		return "Nullable(UInt8)"
	case engine.Int8Type, engine.Int16Type, engine.Int32Type, engine.Int64Type:
		return fmt.Sprintf("Nullable(Int%d)", 8<<(k.Type-engine.Int8Type))
	case engine.Uint8Type, engine.Uint16Type, engine.Uint32Type, engine.Uint64Type:
		return fmt.Sprintf("Nullable(UInt%d)", 8<<(k.Type-engine.Uint8Type))
	case engine.AddrType:
		if s.modern {
			return "Nullable(IPv6)"
		}
		return "Nullable(FixedString(16))"
	case engine.TimeType:
		if s.modern {
			return "Nullable(DateTime64(6, 'UTC'))"
		}
		return "Nullable(DateTime)"
	case engine.StringType, engine.RawTextType, engine.MACType, engine.LabelType:
		if s.modern {
			return "LowCardinality(Nullable(String))"
		}
	}
	return "Nullable(String)"
}

// forget drops the days that are older than the retention, of a server that has no TTL.
func (s *server) forget(ctx context.Context, now time.Time) error {
	if s.modern || s.output.retention.Duration == 0 || !s.output.create {
		return nil
	}
	before := now.Add(-s.output.retention.Duration).UTC().Format("20060102")
	answer, err := s.ask(ctx, "SELECT DISTINCT partition FROM system.parts WHERE active AND database = "+
		literal(s.output.database)+" AND table = "+literal(s.output.table)+
		" AND toUInt32OrZero(partition) BETWEEN 1 AND "+before+" - 1 FORMAT TabSeparated")
	if err != nil {
		return err
	}
	for day := range strings.FieldsSeq(answer) {
		if _, err := s.ask(ctx, "ALTER TABLE "+quote(s.output.table)+" DROP PARTITION "+day); err != nil {
			return fmt.Errorf("drop the rows of %s: %w", day, err)
		}
	}
	return nil
}
