// Package ifindex is the IFINDEX filter: names of interfaces.
package ifindex

import (
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/filter/follow"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "IFINDEX",
		Doc: `Gives the names of the interfaces that a packet came in by and leaves by.

The names are those of the network namespace that the input listens in, and follow interfaces that are made,
renamed and removed. Where there is no interface, or nobody knows its name, the name is empty, as with a capture
file, whose indexes are those of the machine that captured.`,
		Example: `stack = "log1:NFLOG,base1:BASE,ifi1:IFINDEX,ip2str1:IP2STR,json1:JSON"

[log1]
group = 1
`,
		Compat: true,
		Filter: func() engine.Filter { return ifindex{} },
	})
}

type ifindex struct{}

func (ifindex) Options(*engine.Options) {}

func (ifindex) Bind(p *engine.Binder) engine.Stage {
	g := p.Group()
	s := &stage{group: g, stale: p.Settings().CompatULOGD2()}
	if info := p.Stack(); !info.Foreign {
		s.follower = follow.New("interfaces", &s.links, info)
	}
	in, out := engine.Need(p, key.OOBIfIn), engine.Need(p, key.OOBIfOut)
	s.names[0] = naming{index: in, name: engine.Give(p, g, key.OOBIn)}
	s.names[1] = naming{index: out, name: engine.Give(p, g, key.OOBOut)}
	return s
}

// stage knows the links of one stack's namespace.
type stage struct {
	follower *follow.Follower // nil where indexes are another machine's: nothing is known of them
	links    links
	group    engine.Group
	names    [2]naming
	stale    bool // ulogd2: an unknown index shows the name of the record before
}

// The optional parts of the contract that it implements (engine/plugin.go).
var (
	_ engine.Opener = (*stage)(nil)
	_ engine.Ticker = (*stage)(nil)
	_ engine.Closer = (*stage)(nil)
)

// Open begins to follow the links.
func (s *stage) Open(env *engine.Env) error {
	if s.follower == nil {
		return nil
	}
	return s.follower.Open(env)
}

// Tick takes up what the kernel has told while no records came.
func (s *stage) Tick(time.Time) { s.update() }

// Close stops following.
func (s *stage) Close() error {
	if s.follower == nil {
		return nil
	}
	return s.follower.Close()
}

func (s *stage) update() {
	if s.follower != nil {
		s.follower.Update()
	}
}

// naming is one direction.
type naming struct {
	index engine.Col[uint32]
	name  engine.Col[engine.String]
	last  []byte // name of the newest record that had one
}

func (s *stage) Consume(b *engine.Batch) {
	s.update()
	have := b.Have()
	for i := range s.names {
		s.name(b, &s.names[i])
	}
	for _, r := range b.Rows() {
		have[r] |= s.group.Mask()
	}
}

// name fills one column. Neighbours mostly have the same interface, whose name then stands in the
// batch once.
func (s *stage) name(b *engine.Batch, n *naming) {
	index, name, m := n.index.Of(b), n.name.Of(b), n.index.Mask()
	have := b.Have()
	known := ^uint32(0) // no index
	var span engine.String
	for _, r := range b.Rows() {
		i := index[r]
		if have[r]&m == 0 {
			i = 0
		}
		if i != known {
			known, span = i, engine.String(b.AddText(s.lookup(n, i)))
		}
		name[r] = span
	}
}

// lookup returns the name of an index, which may be 0.
func (s *stage) lookup(n *naming, index uint32) []byte {
	name, ok := s.links.name(index)
	if !ok && s.stale && index != 0 {
		return n.last
	}
	n.last = append(n.last[:0], name...)
	return name
}
