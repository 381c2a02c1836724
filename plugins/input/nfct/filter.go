// Which connections are wanted. This is what counts; the kernel's copy of the filter (bpf.go) only
// saves work, and dumps do not pass it.

package nfct

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/ipproto"
	"ulogd/plugins/input/nfct/ctnetlink"
)

// filter holds alternatives of each kind. A kind without any accepts everything.
type filter struct {
	src, dst []network
	protos   []uint8
	marks    []mark
	zones    []uint16
	any      bool    // something is left out
	hidden   [2]bool // IPv4, IPv6: no network of the family is listed beside some of the other
	proto    [256]bool
}

// network is an address range. One family's networks never match the other family.
type network struct {
	addr, mask engine.Addr
	family     uint8
}

type mark struct{ value, mask uint32 }

func newFilter(s *settings) (f filter, err error) {
	if f.src, err = parseNetworks(s.srcFilter); err != nil {
		return f, fmt.Errorf("accept_src_filter: %w", err)
	}
	if f.dst, err = parseNetworks(s.dstFilter); err != nil {
		return f, fmt.Errorf("accept_dst_filter: %w", err)
	}
	for _, name := range s.protoFilter {
		n, err := ipproto.Number(name)
		if err != nil {
			return f, fmt.Errorf("accept_proto_filter: %w", err)
		}
		f.protos = append(f.protos, n)
		f.proto[n] = true
	}
	for _, text := range s.markFilter {
		m, err := parseMark(text)
		if err != nil {
			return f, fmt.Errorf("accept_mark_filter: %w", err)
		}
		f.marks = append(f.marks, m)
	}
	for _, text := range s.zoneFilter {
		z, err := strconv.ParseUint(text, 0, 16)
		if err != nil {
			return f, fmt.Errorf("accept_zone_filter: %q is no zone; give a number up to 65535", text)
		}
		f.zones = append(f.zones, uint16(z))
	}
	if len(f.protos) == 0 {
		for i := range f.proto {
			f.proto[i] = true
		}
	}
	for _, list := range [][]network{f.src, f.dst} {
		f.hidden[0] = f.hidden[0] || hides(list, unix.AF_INET)
		f.hidden[1] = f.hidden[1] || hides(list, unix.AF_INET6)
	}
	f.any = len(f.src)+len(f.dst)+len(f.protos)+len(f.marks)+len(f.zones) > 0
	return f, nil
}

func parseNetworks(list []string) (nets []network, err error) {
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a, addrErr := netip.ParseAddr(text)
			if addrErr != nil || a.Zone() != "" {
				return nil, fmt.Errorf("%q is no network; write it as 192.0.2.0/24 or 2001:db8::/32", text)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		n := network{family: unix.AF_INET6, mask: prefixMask(p.Bits())}
		if p.Addr().Is4() {
			n.family, n.mask = unix.AF_INET, prefixMask(96+p.Bits())
		}
		n.addr = engine.AddrFrom(p.Masked().Addr())
		nets = append(nets, n)
	}
	return nets, nil
}

// prefixMask returns a mask of that many leading ones.
func prefixMask(bits int) engine.Addr {
	// A shift by 64 or more gives 0.
	return engine.Addr{Hi: ^(^uint64(0) >> min(bits, 64)), Lo: ^(^uint64(0) >> max(bits-64, 0))}
}

func parseMark(text string) (mark, error) {
	value, mask, masked := strings.Cut(text, "/")
	v, err := strconv.ParseUint(value, 0, 32)
	m := uint64(1<<32 - 1)
	if err == nil && masked {
		m, err = strconv.ParseUint(mask, 0, 32)
	}
	if err != nil {
		return mark{}, fmt.Errorf("%q is no mark; write it as 0x10 or 0x10/0xff", text)
	}
	return mark{uint32(v & m), uint32(m)}, nil
}

// tracks reports whether the connection is wanted as far as what never changes of it says.
func (f *filter) tracks(c *ctnetlink.Flow) bool {
	return !f.any || f.proto[c.Orig.Proto] &&
		inside(f.src, c.Family, c.Orig.Src) && inside(f.dst, c.Family, c.Orig.Dst) && f.acceptsZone(c)
}

// hides reports whether the networks leave out a whole family without saying so. Who lists all of the
// other one (0.0.0.0/0, ::/0) says so.
func hides(nets []network, family uint8) bool {
	for i := range nets {
		if nets[i].family == family || nets[i].mask == prefixMask(0) || nets[i].mask == prefixMask(96) {
			return false
		}
	}
	return len(nets) > 0
}

// hides reports whether the connection is left out for its family alone.
func (f *filter) hides(c *ctnetlink.Flow) bool {
	if c.Family == unix.AF_INET6 {
		return f.hidden[1]
	}
	return f.hidden[0]
}

// acceptsMark reports whether the connection is wanted by the mark that it has now.
func (f *filter) acceptsMark(m uint32) bool {
	for _, want := range f.marks {
		if m&want.mask == want.value {
			return true
		}
	}
	return len(f.marks) == 0
}

func inside(nets []network, family uint8, a engine.Addr) bool {
	for i := range nets {
		n := &nets[i]
		if n.family == family && a.Hi&n.mask.Hi == n.addr.Hi && a.Lo&n.mask.Lo == n.addr.Lo {
			return true
		}
	}
	return len(nets) == 0
}

// acceptsZone takes a connection whose zone, of either direction where they differ, is listed.
func (f *filter) acceptsZone(c *ctnetlink.Flow) bool {
	for _, z := range f.zones {
		if c.Zone == z || c.Orig.Has&ctnetlink.HasZone != 0 && c.Orig.Zone == z ||
			c.Reply.Has&ctnetlink.HasZone != 0 && c.Reply.Zone == z {
			return true
		}
	}
	return len(f.zones) == 0
}
