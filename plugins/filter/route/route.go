// Package route is the ROUTE filter: where flows go, by the kernel's routing tables.
package route

import (
	"fmt"
	"strconv"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/filter/follow"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "ROUTE",
		Doc: `Gives flows their output interface, next hop, and the prefix lengths of the routes of both addresses.

The routes are those of the network namespace that the input listens in, and follow the kernel's. The longest prefix counts; of equal ones that
of the local, then the main table, then the lowest metric. Rules that choose tables by anything but the destination are not known here: name the table
where they matter. Of a route over several hops the first is told. Where there is no route the keys are missing; a destination that is this
host, or unreachable, has a prefix length alone.`,
		Example: `stack = "ct1:NFCT,route1:ROUTE,netflow1:NETFLOW9"

[netflow1]
host = "192.0.2.1"
port = 2055
`,
		Filter: func() engine.Filter { return &route{} },
	})
}

// route holds the settings; each stack has a table of its own.
type route struct {
	tableName string
	table     uint32 // 0: all
}

// The optional parts of the contract that it implements (engine/plugin.go).
var _ engine.Validator = (*route)(nil)

func (f *route) Options(o *engine.Options) {
	o.String(&f.tableName, "table", "all", "number of the routing table to look into, or main, local or all")
}

// Numbers of routing tables (linux/rtnetlink.h).
const (
	tableDefault = 253
	tableMain    = 254
	tableLocal   = 255
)

// Validate implements engine.Validator.
func (f *route) Validate() error {
	switch f.tableName {
	case "all":
		f.table = 0
	case "default":
		f.table = tableDefault
	case "main":
		f.table = tableMain
	case "local":
		f.table = tableLocal
	default:
		n, err := strconv.ParseUint(f.tableName, 10, 32)
		if err != nil || n == 0 {
			return fmt.Errorf("table: must be all, main, local, default or a number, is %q", f.tableName)
		}
		f.table = uint32(n)
	}
	return nil
}

func (f *route) Bind(p *engine.Binder) engine.Stage {
	src, dst, out, hop := p.Group(), p.Group(), p.Group(), p.Group()
	s := &stage{
		routes:  routes{only: f.table},
		family:  p.Family(),
		saddr:   engine.Need(p, key.OrigSaddr),
		daddr:   engine.Need(p, key.OrigDaddr),
		ifout:   engine.Give(p, out, key.OOBIfOut),
		nextHop: engine.Give(p, hop, key.RouteNextHop),
		srcPlen: engine.Give(p, src, key.RouteSrcPlen),
		dstPlen: engine.Give(p, dst, key.RouteDstPlen),
		src:     src.Mask(), dst: dst.Mask(), out: out.Mask(), hop: hop.Mask(),
	}
	s.follower = follow.New("routes", &s.routes, p.Stack())
	return s
}

// stage is ROUTE at one place of one stack.
type stage struct {
	follower         *follow.Follower
	routes           routes
	family           engine.Family
	saddr, daddr     engine.Col[engine.Addr]
	ifout            engine.Col[uint32]
	nextHop          engine.Col[engine.Addr]
	srcPlen, dstPlen engine.Col[uint8]

	src, dst, out, hop uint64 // presence bits
}

// The optional parts of the contract that it implements (engine/plugin.go).
var (
	_ engine.Opener = (*stage)(nil)
	_ engine.Ticker = (*stage)(nil)
	_ engine.Closer = (*stage)(nil)
)

// Open begins to follow the routes.
func (s *stage) Open(env *engine.Env) error {
	s.routes.count = env.Stats.Level("routes", "routes known now")
	return s.follower.Open(env)
}

// Tick takes up what the kernel has told while no records came.
func (s *stage) Tick(time.Time) { s.follower.Update() }

// Close stops following.
func (s *stage) Close() error { return s.follower.Close() }

func (s *stage) Consume(b *engine.Batch) {
	s.follower.Update()
	have, saddr, daddr := b.Have(), s.saddr.Of(b), s.daddr.Of(b)
	ifout, nextHop, srcPlen, dstPlen := s.ifout.Of(b), s.nextHop.Of(b), s.srcPlen.Of(b), s.dstPlen.Of(b)
	for _, r := range b.Rows() {
		version := s.family.Version(b, r)
		if version == 0 {
			continue
		}
		t := &s.routes.tables[version/6]
		var bits uint64
		if n := t.lookup(position(saddr[r], version)); n != nil {
			srcPlen[r] = n.plen
			bits |= s.src
		}
		if n := t.lookup(position(daddr[r], version)); n != nil {
			best := n.best
			dstPlen[r], ifout[r], nextHop[r] = n.plen, best.oif, best.gateway
			bits |= s.dst
			if best.oif != 0 {
				bits |= s.out
			}
			if best.via {
				bits |= s.hop
			}
		}
		have[r] |= bits
	}
}

// position brings an address to the left: the first bit of a prefix is the highest of Hi.
func position(a engine.Addr, version int) engine.Addr {
	if version == 4 {
		return engine.Addr{Hi: uint64(a.V4()) << 32}
	}
	return a
}
