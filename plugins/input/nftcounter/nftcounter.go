// Package nftcounter is the NFTCOUNTER input: nftables' counters, at intervals.
package nftcounter

import (
	"fmt"
	"path"

	"ulogd/engine"
	"ulogd/plugins/input/counters"
)

const doc = `Reads nftables' named counters at intervals, and the counters of elements of sets and maps: one record for
each and poll, also where nothing was counted. The keys are NFACCT's, with the table and its family.

A counter is made by "nft add counter inet filter web" and counted by rules with "counter name web". Elements count
where their set says so ("set clients { type ipv4_addr; counter; }"), or the rule that adds them ("add @clients { ip
saddr counter }"); sum.name is then SET/ELEMENT, the element as nft prints it, such as clients/192.0.2.0/24. Counters
of rules that have no name, and anonymous sets, are left out.

Unless zerocounter is off, reading sets named counters and elements to zero, in one step with it, so that records add
up; two readers then share the counts between them. Linux sets elements to zero since 6.5; before, what an element
counted since the poll before is told, and the first poll tells totals. SIGUSR2 polls at once.`

const example = `# nft add table inet filter; nft add counter inet filter web
stack = "nft1:NFTCOUNTER,json1:JSON"

[nft1]
pollinterval = 10
table = "filter"
counter = ["web", "client*"]
`

func init() {
	engine.Register(engine.Plugin{Name: "NFTCOUNTER", Doc: doc, Example: example, Input: func() engine.Input {
		n := &nftcounter{}
		n.Poller = counters.Poller{Dial: n.dial, Remedy: "run with CAP_NET_ADMIN, on a kernel with CONFIG_NF_TABLES"}
		return n
	}})
}

// nftcounter is one instance.
type nftcounter struct {
	counters.Poller
	tables, names []string
	family        string
}

// The optional parts of the contract that it implements (engine/plugin.go) besides the Poller's.
var (
	_ engine.Validator = (*nftcounter)(nil)
	_ engine.Doctored  = (*nftcounter)(nil)
)

const anyFamily = "any"

// Options declares the settings.
func (n *nftcounter) Options(o *engine.Options) {
	const globs = ", by names in which * and ? and [a-z] stand for others; unset: all"
	o.Strings(&n.tables, "table", nil, "tables whose counters are read"+globs)
	o.Strings(&n.names, "counter", nil, "counters, and sets whose elements are read"+globs)
	o.Enum(&n.family, "family", anyFamily, append([]string{anyFamily}, families...), "family of the tables")
	n.Poller.Options(o)
}

// Validate checks the settings.
func (n *nftcounter) Validate() error {
	for option, patterns := range map[string][]string{"table": n.tables, "counter": n.names} {
		for _, p := range patterns {
			if _, err := path.Match(p, ""); err != nil {
				return fmt.Errorf("%s: %q is no pattern: a [ lacks its ]", option, p)
			}
		}
	}
	return n.Poller.Validate()
}

// Bind declares the keys.
func (n *nftcounter) Bind(p *engine.Binder) {
	n.Poller.Bind(p)
	n.BindTables(p)
}

// wants reports whether a counter or a set is to be read.
func (n *nftcounter) wants(family, table, name string) bool {
	return (n.family == anyFamily || n.family == family) && matches(n.tables, table) && matches(n.names, name)
}

func matches(patterns []string, name string) bool {
	for _, p := range patterns {
		if ok, _ := path.Match(p, name); ok {
			return true
		}
	}
	return patterns == nil
}
