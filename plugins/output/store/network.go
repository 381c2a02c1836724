// How connections leave the machine.

package store

import (
	"context"
	"net"

	"ulogd/engine"
)

// DeclareNetwork declares source_address, source_port, bind_device, dscp and ttl, for stores that are other machines.
func (o *Output) DeclareNetwork(opts *engine.Options) { o.from.Options(opts) }

// Dial connects as these options say, for libraries that let one dial. A socket in the file system has none of that.
func (o *Output) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if network == "unix" {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return o.from.Dial(ctx, network, address)
}

// Capabilities are what the daemon must keep under -u.
func (l *lane) Capabilities() []int { return l.queue.output.from.Capabilities() }

// OnePort reports whether all connections are to come from one local port.
func (o *Output) OnePort() bool { return o.from.OnePort() }
