// Package nfacct reads the kernel's named counters (nfnetlink_acct) at intervals.
package nfacct

import (
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/plugins/input/counters"
)

const doc = `Reads the named counters of the kernel (nfacct) at intervals: one record for each counter and poll, also where nothing was counted.

Counters are made with "nfacct add NAME" and counted by iptables' "-m nfacct --nfacct-name NAME". Unless zerocounter is off, reading sets them to zero, so that records add up; two
readers then share the counts between them. SIGUSR2 polls at once.`

const example = `# nfacct add web; iptables -A INPUT -p tcp --dport 80 -m nfacct --nfacct-name web
stack = "acct1:NFACCT,json1:JSON"

[acct1]
pollinterval = 10
`

func init() {
	engine.Register(engine.Plugin{Name: "NFACCT", Doc: doc, Example: example, Input: func() engine.Input {
		return &nfacct{Poller: counters.Poller{
			Dial: dial, Remedy: "run with CAP_NET_ADMIN, on a kernel with CONFIG_NETFILTER_NETLINK_ACCT",
		}}
	}})
}

// nfacct is one instance.
type nfacct struct{ counters.Poller }

// The optional part of the contract that it implements (engine/plugin.go) besides the Poller's.
var _ engine.Doctored = (*nfacct)(nil)

// Bind declares the keys.
func (n *nfacct) Bind(p *engine.Binder) {
	n.Poller.Bind(p)
	n.BindQuotas(p)
}

// dial opens a socket.
func dial() (counters.Reader, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("open an nfacct socket: %w", err)
	}
	return reader{conn}, nil
}
