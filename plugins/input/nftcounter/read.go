// One poll.

package nftcounter

import (
	"ulogd/plugins/input/counters"
	"ulogd/plugins/input/netlink/nftables"
)

var families = nftables.FamilyNames

// reader implements counters.Reader.
type reader struct {
	of    *nftcounter
	conn  *nftables.Conn
	told  told // where the kernel cannot set elements to zero
	keeps bool
}

func (n *nftcounter) dial() (counters.Reader, error) {
	conn, err := nftables.Dial()
	if err != nil {
		return nil, err
	}
	return &reader{of: n, conn: conn}, nil
}

// Close implements counters.Reader.
func (r *reader) Close() error { return r.conn.Close() }

// Read implements counters.Reader. Of what is read up to an error nothing is lost.
func (r *reader) Read(zero bool) (list []counters.Counter, malformed int, err error) {
	named, malformed, err := r.conn.Counters()
	if err != nil {
		return nil, malformed, err
	}
	for _, k := range named {
		if !r.of.wants(nftables.FamilyName(k.Family), k.Table, k.Name) {
			continue
		}
		if zero {
			ok := false
			if k, ok, err = r.conn.Zero(k); err != nil {
				return list, malformed, err
			} else if !ok { // deleted meanwhile
				continue
			}
		}
		list = append(list, counters.Counter{
			Family: nftables.FamilyName(k.Family), Table: k.Table, Name: k.Name, Packets: k.Packets, Octets: k.Octets,
		})
	}
	sets, bad, err := r.conn.Sets()
	malformed += bad
	if err != nil {
		return list, malformed, err
	}
	defer func() { r.told.end(err == nil) }()
	for i := range sets {
		s := &sets[i]
		if s.Anonymous() || !r.of.wants(nftables.FamilyName(s.Family), s.Table, s.Name) {
			continue
		}
		var elements []nftables.Element
		elements, bad, err = r.elements(s, zero)
		malformed += bad
		for _, e := range elements {
			k := counters.Counter{
				Family: nftables.FamilyName(s.Family), Table: s.Table, Name: s.Name + "/" + e.Text,
				Packets: e.Packets, Octets: e.Octets,
			}
			if zero && r.keeps {
				at := id{s.Family, k.Table, k.Name}
				k.Packets, k.Octets = r.told.since(at, count{k.Packets, k.Octets})
			}
			list = append(list, k)
		}
		if err != nil {
			return list, malformed, err
		}
	}
	return list, malformed, nil
}

// elements reads those of a set, and sets them to zero where that is asked for and the kernel can.
func (r *reader) elements(s *nftables.Set, zero bool) ([]nftables.Element, int, error) {
	if zero && !r.keeps {
		list, malformed, err := r.conn.Elements(s, true)
		if !nftables.CannotZero(err) {
			return list, malformed, err
		}
		r.keeps = true
	}
	return r.conn.Elements(s, false)
}
