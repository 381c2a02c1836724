// Package dial connects outputs to other machines, by the settings that all of them have: from which
// address, port and interface, and how packets are marked.
package dial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/value"
)

// Settings say how an output's packets leave the machine. Their zero value leaves all to the kernel.
type Settings struct {
	sourceAddress string
	sourcePort    uint16
	device        string
	dscp          int
	marked        bool  // dscp is set
	ttl           uint8 // 0: unset

	source netip.Addr // of sourceAddress; not valid if unset
	opts   *engine.Options
}

// names are the options that Options declares.
var names = []string{"source_address", "source_port", "bind_device", "dscp", "ttl"}

// Options declares the options.
func (s *Settings) Options(o *engine.Options) {
	s.opts = o
	o.String(&s.sourceAddress, "source_address", "", "local address to send from; unset: the kernel chooses")
	engine.Range(o, &s.sourcePort, "source_port", 0, 0, 65535, "local port to send from, of every connection; 0: "+
		"the kernel chooses. Ports below 1024 stay allowed under -u")
	o.String(&s.device, "bind_device", "", "send by this interface alone, whatever the routes say; a VRF's device "+
		"stands for all in it (SO_BINDTODEVICE). It may come later, or come back: the output connects when it is there. "+
		"Names are looked up by the way that the machine has for that")
	o.Func("dscp", "0 to 63 | name", "", "mark packets for the quality of service (DSCP, RFC 2474), by number or by "+
		"name: "+strings.Join(dscpNames(), ", ")+"; unset: as the kernel does, 0", value.String, s.setDSCP)
	engine.Range(o, &s.ttl, "ttl", 0, 0, 255, "hops that packets may take: the TTL of IPv4, the hop limit of IPv6; "+
		"0: as the kernel does, 64, or 1 to a multicast group")
}

// From tells the settings apart by the address that they send from: those that return the same send from one.
func (s *Settings) From() string { return s.sourceAddress + "%" + s.device }

// OnePort reports whether all connections are to come from one local port: of those to one server there can be one.
func (s *Settings) OnePort() bool { return s.sourcePort != 0 }

// Validate checks the options.
func (s *Settings) Validate() error {
	s.source = netip.Addr{}
	if s.sourceAddress != "" {
		a, err := netip.ParseAddr(s.sourceAddress)
		if err != nil {
			return fmt.Errorf("source_address: %q is no IP address", s.sourceAddress)
		}
		s.source = a
	}
	if len(s.device) >= unix.IFNAMSIZ || strings.ContainsAny(s.device, "/ \t\n") {
		return fmt.Errorf("bind_device: %q cannot be the name of an interface", s.device)
	}
	return nil
}

// Names returns the options' names, for those who have to tell where they have no meaning.
func Names() []string { return slices.Clone(names) }

// Unused is what is wrong where one of the options is set, and nothing goes to another machine: why.
func (s *Settings) Unused(why string) error {
	for _, name := range names {
		if s.opts.Given(name) {
			return fmt.Errorf("%s: %s; remove it", name, why)
		}
	}
	return nil
}

// Dial connects to host:port, by "tcp" or "udp".
func (s *Settings) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{ControlContext: s.control}
	if s.source.IsValid() || s.sourcePort != 0 {
		d.LocalAddr = s.local(network)
	}
	for began := time.Now(); ; {
		conn, err := d.DialContext(ctx, network, address)
		if err == nil {
			return conn, nil
		}
		// A connection that was closed a moment ago still has the port.
		if s.sourcePort == 0 || !errors.Is(err, unix.EADDRNOTAVAIL) || time.Since(began) > closingFor {
			return nil, s.explain(err)
		}
		select {
		case <-ctx.Done():
			return nil, s.explain(err)
		case <-time.After(closingFor / 20):
		}
	}
}

// closingFor is how long a peer that answers may take to acknowledge the end of a connection.
const closingFor = 2 * time.Second

// Try connects over TCP as Dial does, but from any port: the one to be may be in use, by the daemon that runs.
func (s *Settings) Try(ctx context.Context, address string) (net.Conn, error) {
	any := *s
	any.sourcePort = 0
	return any.Dial(ctx, "tcp", address)
}

// Source returns the address that packets to a host leave from; an invalid one if there is no route now, or if the host
// is a name, which would have to be looked up. Nothing is sent.
func (s *Settings) Source(host string) netip.Addr {
	if s.source.IsValid() {
		return s.source
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return netip.Addr{}
	}
	unbound := *s
	unbound.sourcePort = 0
	const discard = "9" // any port has the same route
	conn, err := unbound.Dial(context.Background(), "udp", net.JoinHostPort(host, discard))
	if err != nil {
		return netip.Addr{}
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
}

// local returns where a connection begins. Without an address it is of either family.
func (s *Settings) local(network string) net.Addr {
	ip, zone, port := net.IP(s.source.AsSlice()), s.source.Zone(), int(s.sourcePort)
	if strings.HasPrefix(network, "udp") {
		return &net.UDPAddr{IP: ip, Zone: zone, Port: port}
	}
	return &net.TCPAddr{IP: ip, Zone: zone, Port: port}
}

// explain adds the remedy to what only these settings can have caused.
func (s *Settings) explain(err error) error {
	switch {
	case s.sourcePort != 0 && errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("%w: source_port %d is another socket's (ss -anp sport = %[2]d)", err, s.sourcePort)
	case s.sourcePort != 0 && errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("%w: source_port %d has a connection there that has not ended, or source_address is not this "+
			"machine's", err, s.sourcePort)
	case s.sourcePort != 0 && errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w: source_port %d needs CAP_NET_BIND_SERVICE; start the daemon as root, also with -u", err,
			s.sourcePort)
	}
	return err
}
