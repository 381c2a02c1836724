// The longest prefix that an address has.

package route

import (
	"math/bits"
	"slices"

	"ulogd/engine"
)

// prefixes is a longest-prefix table: a binary trie in which chains of nodes with one child are one
// node.
type prefixes struct {
	nodes []node
	free  []int32
	root  int32 // index of the root plus 1; 0: the table is empty
	count int   // routes
}

// node is a prefix, with routes or only as the place where two others part.
type node struct {
	addr   engine.Addr // bits behind plen are 0
	plen   uint8
	child  [2]int32 // by the bit behind the prefix; index plus 1
	best   hop      // of routes
	routes []hop
}

// hop is one route of a prefix.
type hop struct {
	table   uint32
	metric  uint32
	oif     uint32 // 0: none
	gateway engine.Addr
	via     bool // there is a gateway
	tos     uint8
}

// before orders routes of one prefix as the kernel tries them: the local table, the main one,
// others; then by metric.
func (h *hop) before(o *hop) bool {
	if x, y := rank(h.table), rank(o.table); x != y {
		return x < y
	}
	return h.metric < o.metric
}

func rank(table uint32) int {
	switch table {
	case tableLocal:
		return 0
	case tableMain:
		return 1
	case tableDefault:
		return 3
	}
	return 2
}

// lookup returns the node of the longest prefix with a route, or nil.
func (t *prefixes) lookup(a engine.Addr) (best *node) {
	for i := t.root; i != 0; {
		n := &t.nodes[i-1]
		if common(n.addr, a) < int(n.plen) {
			break
		}
		if len(n.routes) > 0 {
			best = n
		}
		if n.plen == 128 {
			break
		}
		i = n.child[bit(a, n.plen)]
	}
	return best
}

// at returns the node of exactly this prefix, made if need be.
func (t *prefixes) at(a engine.Addr, plen uint8) *node {
	a = masked(a, plen)
	link := &t.root
	for *link != 0 {
		n := &t.nodes[*link-1]
		same := min(common(n.addr, a), int(n.plen), int(plen))
		switch {
		case same == int(n.plen) && same == int(plen):
			return n
		case same == int(n.plen):
			link = &n.child[bit(a, n.plen)]
			continue
		}
		// The two part within n's prefix: a node goes in between, which is the wanted one if that
		// is all there is to it.
		old, oldAddr := *link, n.addr
		fork := t.add(masked(a, uint8(same)), uint8(same), link)
		t.nodes[fork].child[bit(oldAddr, uint8(same))] = old
		if same == int(plen) {
			return &t.nodes[fork]
		}
		link = &t.nodes[fork].child[bit(a, uint8(same))]
	}
	return &t.nodes[t.add(a, plen, link)]
}

// add makes a node and has link lead to it. Afterwards pointers to nodes, and link itself, may be
// out of date: the slice may have moved.
func (t *prefixes) add(a engine.Addr, plen uint8, link *int32) int32 {
	fresh := node{addr: a, plen: plen}
	if k := len(t.free); k > 0 {
		i := t.free[k-1]
		t.free = t.free[:k-1]
		t.nodes[i] = fresh
		*link = i + 1
		return i
	}
	i := int32(len(t.nodes))
	*link = i + 1 // before the nodes move: they are copied with it
	t.nodes = append(t.nodes, fresh)
	return i
}

// remove takes a prefix without routes out, and what it leaves of no use.
func (t *prefixes) remove(a engine.Addr, plen uint8) {
	var up *int32 // leads to the parent
	link := &t.root
	for *link != 0 {
		n := &t.nodes[*link-1]
		if n.plen == plen && n.addr == masked(a, plen) {
			t.cut(link)
			if up != nil {
				t.cut(up)
			}
			return
		}
		if n.plen >= plen || common(n.addr, a) < int(n.plen) {
			return
		}
		up, link = link, &n.child[bit(a, n.plen)]
	}
}

// cut replaces a node without routes by its child, if it has at most one.
func (t *prefixes) cut(link *int32) {
	i := *link - 1
	n := &t.nodes[i]
	if len(n.routes) > 0 || n.child[0] != 0 && n.child[1] != 0 {
		return
	}
	*link = n.child[0] + n.child[1]
	*n = node{}
	t.free = append(t.free, i)
}

// put adds a route, or replaces the one it stands for: that of the same table, metric and type of
// service if replace, or else an equal one.
func (t *prefixes) put(a engine.Addr, plen uint8, h hop, replace bool) {
	n := t.at(a, plen)
	before := len(n.routes)
	n.routes = slices.DeleteFunc(n.routes, func(o hop) bool {
		return o == h || replace && o.table == h.table && o.metric == h.metric && o.tos == h.tos
	})
	n.routes = append(n.routes, h)
	t.count += len(n.routes) - before
	n.choose()
}

// drop takes a route out.
func (t *prefixes) drop(a engine.Addr, plen uint8, h hop) {
	n := t.at(a, plen)
	before := len(n.routes)
	n.routes = slices.DeleteFunc(n.routes, func(o hop) bool { return o == h })
	t.count += len(n.routes) - before
	n.choose()
	if len(n.routes) == 0 {
		t.remove(a, plen)
	}
}

func (n *node) choose() {
	for i := range n.routes {
		if h := &n.routes[i]; i == 0 || h.before(&n.best) {
			n.best = *h
		}
	}
}

// common returns how many leading bits two addresses share.
func common(a, b engine.Addr) int {
	if x := a.Hi ^ b.Hi; x != 0 {
		return bits.LeadingZeros64(x)
	}
	return 64 + bits.LeadingZeros64(a.Lo^b.Lo)
}

// bit returns the i-th bit of an address, the first is 0; 0 beyond the end.
func bit(a engine.Addr, i uint8) uint64 {
	if i < 64 {
		return a.Hi >> (63 - i) & 1
	}
	return a.Lo >> (127 - i) & 1
}

func masked(a engine.Addr, plen uint8) engine.Addr {
	if plen < 64 {
		return engine.Addr{Hi: a.Hi &^ (1<<(64-plen) - 1)}
	}
	return engine.Addr{Hi: a.Hi, Lo: a.Lo &^ (1<<(128-plen) - 1)}
}
