//go:build mips || mipsle

// Package sqlite3 is the SQLITE3 output, which machines with MIPS processors do not have.
package sqlite3

import "ulogd/engine"

func init() {
	engine.Register(engine.Plugin{
		Name: "SQLITE3",
		Doc:  "Not offered on mips and mipsle, for which there is no SQLite in Go.",
		Refuse: &engine.Refusal{
			Kind: engine.OutputKind,
			Why: "SQLITE3 is not there on mips and mipsle, for which there is no SQLite in Go; write to PGSQL or MYSQL, or " +
				"JSON to a file",
		},
	})
}
