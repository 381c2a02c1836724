// Package pwsniff recognises ulogd2's PWSNIFF filter, to say why there is none.
package pwsniff

import "ulogd/engine"

func init() {
	engine.Register(engine.Plugin{
		Name:   "PWSNIFF",
		Doc:    "Not offered: ulogd2's PWSNIFF was meant to pick passwords out of POP3 and FTP connections.",
		Refuse: &engine.Refusal{Kind: engine.FilterKind, Why: "PWSNIFF was meant to pick passwords out of packets; ulogd2's never let a record pass, so no stack with it has ever logged anything. Remove the stack"},
	})
}
