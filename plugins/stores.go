//go:build !small

// The plugins of full builds alone: outputs to databases and other stores, whose libraries are larger
// than the rest of the program. Builds for small machines (-tags small) go without; small.go says so
// to whoever names one.

package plugins

import (
	_ "ulogd/plugins/output/clickhouse"
	_ "ulogd/plugins/output/kafka"
	_ "ulogd/plugins/output/mysql"
	_ "ulogd/plugins/output/parquet"
	_ "ulogd/plugins/output/pgsql"
	_ "ulogd/plugins/output/sqlite3"
)
