// How a collector is named in a configuration.

package collector

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// An Address is a collector's host, a name or an address, and its port.
type Address struct {
	Host string
	Port uint16
}

// ParseAddress reads "host", "host:port", "192.0.2.1:4739", "2001:db8::1" or "[2001:db8::1]:4739".
// An address without a port gets the given one.
func ParseAddress(s string, port uint16) (Address, error) {
	host, digits := s, ""
	switch {
	case strings.HasPrefix(s, "["):
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return Address{}, fmt.Errorf("%q lacks its closing bracket", s)
		}
		host, digits = s[1:end], s[end+1:]
		if digits != "" && digits[0] != ':' {
			return Address{}, fmt.Errorf("%q has %q behind its bracket; write [address]:port", s, digits)
		}
		if _, err := netip.ParseAddr(host); err != nil {
			return Address{}, fmt.Errorf("%q is no IPv6 address", host)
		}
	case strings.Count(s, ":") == 1:
		i := strings.IndexByte(s, ':')
		host, digits = s[:i], s[i:]
	case strings.Contains(s, ":"):
		if _, err := netip.ParseAddr(s); err != nil {
			return Address{}, fmt.Errorf("%q is neither host:port nor an IPv6 address", s)
		}
	}
	if host == "" || strings.ContainsAny(host, " \t/") {
		return Address{}, fmt.Errorf("%q names no host", s)
	}
	if digits != "" {
		n, err := strconv.ParseUint(digits[1:], 10, 16)
		if err != nil || n == 0 {
			return Address{}, fmt.Errorf("%q has no port between 1 and 65535", s)
		}
		port = uint16(n)
	}
	return Address{host, port}, nil
}

func (a Address) String() string { return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port))) }
