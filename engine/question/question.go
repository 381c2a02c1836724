// Package question is what `ulogd flows` is asked: which live flows, in what order, how many.
package question

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A Question picks flows. Limit is negative where all are wanted.
type Question struct {
	proto    int // -1: any
	src, dst netip.Prefix
	addr     netip.Prefix // either side
	port     int          // either side; -1: any
	Sort     string       // "" or one of the orders that Parse was given
	Limit    int
}

// sortedMost is how many flows are listed when they are sorted, unless another number is asked for;
// sortedLimit bounds that.
const (
	sortedMost  = 1000
	sortedLimit = 1 << 20
)

var names = map[string]string{"icmp": "1", "tcp": "6", "udp": "17", "icmpv6": "58", "sctp": "132"}

// Parse reads the words of a question. orders are what sort= takes.
func Parse(words []string, orders ...string) (q Question, err error) {
	q = Question{proto: -1, port: -1, Limit: -1}
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return q, fmt.Errorf("%q: write NAME=VALUE with one of proto, src, dst, addr, port, sort and limit", w)
		}
		switch name {
		case "proto":
			q.proto, err = strconv.Atoi(cmp.Or(names[value], value))
		case "src":
			q.src, err = prefix(value)
		case "dst":
			q.dst, err = prefix(value)
		case "addr":
			q.addr, err = prefix(value)
		case "port":
			q.port, err = strconv.Atoi(value)
		case "limit":
			q.Limit, err = strconv.Atoi(value)
		case "sort":
			if q.Sort = value; !slices.Contains(orders, value) {
				err = fmt.Errorf("is none of %s", strings.Join(orders, ", "))
			}
		default:
			err = fmt.Errorf("is none of proto, src, dst, addr, port, sort and limit")
		}
		if err != nil {
			return q, fmt.Errorf("%s: %w", w, err)
		}
	}
	if q.Sort != "" && (q.Limit < 0 || q.Limit > sortedLimit) {
		q.Limit = sortedMost
	}
	return q, nil
}

// prefix reads an address or a network.
func prefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return a.Prefix(a.BitLen())
}

// Matches reports whether a flow is asked for. Where it has no ports they are -1.
func (q *Question) Matches(proto uint8, src, dst netip.Addr, sport, dport int) bool {
	in := func(p netip.Prefix, a netip.Addr) bool { return !p.IsValid() || p.Contains(a) }
	return (q.proto < 0 || q.proto == int(proto)) && (q.port < 0 || q.port == sport || q.port == dport) &&
		in(q.src, src) && in(q.dst, dst) && (in(q.addr, src) || in(q.addr, dst))
}

// First sorts what each yields and returns the first limit of it. It keeps twice as many, and
// forgets the lesser half each time it has them.
func First[E any](limit int, order func(a, b E) int, each func(yield func(E) bool)) []E {
	best := make([]E, 0, 2*limit+1)
	trim := func() {
		slices.SortFunc(best, order)
		best = best[:min(len(best), limit)]
	}
	for e := range each {
		if best = append(best, e); len(best) > 2*limit {
			trim()
		}
	}
	trim()
	return best
}
