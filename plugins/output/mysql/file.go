// The files that LOAD DATA LOCAL reads: rows as lines, in memory.

package mysql

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"

	driver "github.com/go-sql-driver/mysql"

	"ulogd/engine"
	"ulogd/plugins/output/store"
	"ulogd/plugins/output/store/table"
)

// loading returns the statement that fills a table, with room for the name of the file; none if a batch
// could not be taken back, because the table has no transactions or is a view.
func (c *conn) loading(ctx context.Context, to string, columns []table.Column) (string, error) {
	var kind sql.NullString
	err := c.my.QueryRowContext(ctx, "SELECT engine FROM information_schema.tables WHERE table_schema = DATABASE() "+
		"AND table_name = ?", to).Scan(&kind)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read the kind of %s: %w", to, err)
	}
	if kind.String != "InnoDB" {
		return "", nil
	}
	return "LOAD DATA LOCAL INFILE 'Reader::%s' INTO TABLE " + escapePercent(dialect.Name(to)) + " CHARACTER SET " +
		"binary (" +
		escapePercent(dialect.Names(columns)) + ")", nil
}

func escapePercent(s string) string { return strings.ReplaceAll(s, "%", "%%") }

// appendFile appends the rows as lines: tabs between columns, \N for NULL.
func (p *plan) appendFile(dst []byte, rows *store.Rows) []byte {
	for i := range rows.Len() {
		rows.Read(i, p.row)
		if p.native != nil {
			p.native.Date(p.row)
		}
		for j := range p.columns {
			if j > 0 {
				dst = append(dst, '\t')
			}
			dst = appendField(dst, &p.columns[j], p.columns[j].Of(p.row))
		}
		dst = append(dst, '\n')
	}
	return dst
}

func appendField(dst []byte, c *table.Column, v *store.Value) []byte {
	if v == nil {
		return append(dst, `\N`...)
	}
	switch c.Type {
	case engine.AddrType:
		switch {
		case c.As == table.AsOctets:
			var room [16]byte
			return appendEscaped(dst, table.AppendOctets(room[:0], v))
		case c.As == table.AsText:
		case v.Is6:
			return append(dst, `\N`...)
		default:
			return strconv.AppendUint(dst, uint64(c.IPv4(v)), 10)
		}
	case engine.RawTextType:
		var room [64]byte
		if octets, ok := table.AppendHex(room[:0], v.Bytes); ok {
			return appendEscaped(dst, octets)
		}
		return appendEscaped(dst, table.Clean(v.Bytes))
	case engine.StringType:
		return appendEscaped(dst, table.Clean(v.Bytes))
	case engine.RawType, engine.LabelType:
		return appendEscaped(dst, v.Bytes)
	}
	return c.AppendText(dst, v)
}

// appendEscaped appends octets as LOAD DATA reads them back.
func appendEscaped(dst, p []byte) []byte {
	for _, c := range p {
		switch c {
		case '\t', '\n', '\\':
			dst = append(dst, '\\')
		case 0:
			dst, c = append(dst, '\\'), '0'
		}
		dst = append(dst, c)
	}
	return dst
}

var opened atomic.Uint64

// open gives a file a name, by which the driver asks for it, until it is closed.
func open(content []byte) (name string, closeFile func()) {
	name = "ulogd-" + strconv.FormatUint(opened.Add(1), 10)
	driver.RegisterReaderHandler(name, func() io.Reader { return bytes.NewReader(content) })
	return name, func() { driver.DeregisterReaderHandler(name) }
}
