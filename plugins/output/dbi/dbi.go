// Package dbi names ulogd2's database output that is not offered, so that a configuration with it is
// told what to do.
package dbi

import "ulogd/engine"

func init() {
	engine.Register(engine.Plugin{
		Name: "DBI",
		Doc:  "Not offered: ulogd2's output to databases that libdbi knows. PGSQL, MYSQL and SQLITE3 are there.",
		Refuse: &engine.Refusal{
			Kind: engine.OutputKind,
			Why: "ulogd2's output through libdbi is known, but not offered; put PGSQL, MYSQL or SQLITE3 in its place: they " +
				"have the same options but dbtype, and fill the same tables",
		},
	})
}
