//go:build small

// The plugins that a build for small machines goes without, by name, so that a configuration that has
// one is told why it cannot run here.

package plugins

import (
	"ulogd/engine"
	"ulogd/engine/small"
)

// absent are the outputs that stores.go imports.
var absent = []string{"CLICKHOUSE", "KAFKA", "MYSQL", "PARQUET", "PGSQL", "SQLITE3"}

func init() {
	for _, name := range absent {
		engine.Register(engine.Plugin{
			Name: name,
			Doc:  "Not in this build: it needs a library that is too large for a small machine.",
			Refuse: &engine.Refusal{
				Kind: engine.OutputKind,
				Why:  small.Lacks("outputs to stores", "send IPFIX or JSON to a machine that has it").Error(),
			},
		})
	}
}
