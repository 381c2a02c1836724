// Package sql names ulogd2's database outputs, which are not offered, so that a configuration with
// them is told what to do.
package sql

import (
	"fmt"

	"ulogd/engine"
)

func init() {
	for _, p := range []struct{ name, database string }{
		{"MYSQL", "MySQL and MariaDB"},
		{"PGSQL", "PostgreSQL"},
		{"SQLITE3", "SQLite"},
		{"DBI", "databases that libdbi knows"},
	} {
		engine.Register(engine.Plugin{
			Name: p.name,
			Doc:  fmt.Sprintf("Not offered: ulogd2's output to %s.", p.database),
			Refuse: &engine.Refusal{Kind: engine.OutputKind, Why: fmt.Sprintf(
				"ulogd2's output to %s is known, but not offered yet; write JSON to a file, FIFO or socket and have a loader insert its "+
					"lines, or let ulogd2 run this stack, with another group where it reads NFLOG", p.database)},
		})
	}
}
