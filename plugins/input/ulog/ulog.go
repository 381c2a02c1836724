// Package ulog recognises ulogd2's ULOG input, to say what replaces it.
package ulog

import "ulogd/engine"

func init() {
	engine.Register(engine.Plugin{
		Name:   "ULOG",
		Doc:    "Not offered: the iptables target ULOG left the Linux kernel in version 3.17. NFLOG replaces it.",
		Refuse: &engine.Refusal{Kind: engine.InputKind, Why: "Linux has no ULOG target since version 3.17; log with -j NFLOG --nflog-group N (iptables) or log group N (nft), and name NFLOG with group=N here"},
	})
}
