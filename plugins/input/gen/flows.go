// Synthetic connections.

package gen

import (
	"ulogd/engine"
	"ulogd/engine/ipproto"
	"ulogd/engine/key"
)

// servers are the services that synthetic clients talk to: protocol, port, and how many in a
// hundred records.
var servers = []struct {
	proto uint8
	port  uint16
	share uint64
}{
	{ipproto.TCP, 443, 50},
	{ipproto.TCP, 80, 12},
	{ipproto.TCP, 22, 5},
	{ipproto.UDP, 53, 20},
	{ipproto.UDP, 443, 8},
	{ipproto.UDP, 123, 5},
}

// service picks one by a number from 0 to 99.
func service(n uint64) (proto uint8, port uint16) {
	for _, s := range servers {
		if n < s.share {
			return s.proto, s.port
		}
		n -= s.share
	}
	return ipproto.TCP, 443
}

// The networks of synthetic hosts are those set aside for documentation and private use (RFC 1918,
// 5737, 3849).
const (
	clients4 = 10<<24 | 1<<8             // 10.0.1.0 and up
	servers4 = 198<<24 | 51<<16 | 100<<8 // 198.51.100.0/24
	net6     = 0x20010db8 << 32          // 2001:db8::/64
)

// addresses draws a client and a server.
func addresses(x uint64, hosts int, is6 bool) (client, server engine.Addr) {
	h, s := x%uint64(hosts), x>>32&0x7f
	if is6 {
		return engine.Addr{Hi: net6, Lo: 0x10000 + h}, engine.Addr{Hi: net6 + 1, Lo: 1 + s}
	}
	return engine.Addr4(uint32(clients4 + h)), engine.Addr4(uint32(servers4 + s))
}

// bindFlows binds the keys of finished connections and returns what fills rows with them.
func bindFlows(p *engine.Binder, g *gen) func(*engine.Batch, int) {
	all := g.all
	var (
		saddr, daddr   = engine.Give(p, all, key.OrigSaddr), engine.Give(p, all, key.OrigDaddr)
		proto          = engine.Give(p, all, key.OrigProtocol)
		sport, dport   = engine.Give(p, all, key.OrigSport), engine.Give(p, all, key.OrigDport)
		octets, pkts   = engine.Give(p, all, key.OrigOctets), engine.Give(p, all, key.OrigPackets)
		rsaddr, rdaddr = engine.Give(p, all, key.ReplySaddr), engine.Give(p, all, key.ReplyDaddr)
		rproto         = engine.Give(p, all, key.ReplyProtocol)
		rsport, rdport = engine.Give(p, all, key.ReplySport), engine.Give(p, all, key.ReplyDport)
		rocts, rpkts   = engine.Give(p, all, key.ReplyOctets), engine.Give(p, all, key.ReplyPackets)
		mark, id       = engine.Give(p, all, key.CTMark), engine.Give(p, all, key.CTID)
		event          = engine.Give(p, all, key.CTEvent)
		start, end     = engine.Give(p, all, key.FlowStart), engine.Give(p, all, key.FlowEnd)
		family         = engine.Give(p, all, key.OOBFamily)
		etype          = engine.Give(p, all, key.OOBProtocol)
		reason         = engine.Give(p, all, key.FlowEndReason)
	)
	bits := all.Mask()
	var f flow
	return func(b *engine.Batch, n int) {
		have := b.Have()
		src, dst, pr, sp, dp := saddr.Of(b), daddr.Of(b), proto.Of(b), sport.Of(b), dport.Of(b)
		oct, pk, rsrc, rdst, rpr := octets.Of(b), pkts.Of(b), rsaddr.Of(b), rdaddr.Of(b), rproto.Of(b)
		rsp, rdp, roct, rpk := rsport.Of(b), rdport.Of(b), rocts.Of(b), rpkts.Of(b)
		mk, ids, ev, st, en := mark.Of(b), id.Of(b), event.Of(b), start.Of(b), end.Of(b)
		fam, et, why := family.Of(b), etype.Of(b), reason.Of(b)
		for i := range n {
			r := engine.Row(i)
			if g.gateway == nil {
				g.next(&f)
			} else {
				g.clock += step(g.clock, int64(g.interval), g.rng.next())
				g.gateway.next(g, &f)
			}
			src[r], dst[r], pr[r], sp[r], dp[r] = f.src, f.dst, f.proto, f.sport, f.dport
			fam[r], et[r] = engine.FamilyIPv4, engine.EtherIPv4
			if f.is6 {
				fam[r], et[r] = engine.FamilyIPv6, engine.EtherIPv6
			}
			rsrc[r], rdst[r], rpr[r], rsp[r], rdp[r] = f.dst, f.nat, f.proto, f.dport, f.natPort
			pk[r], oct[r], rpk[r], roct[r] = f.pkts, f.octets, f.rpkts, f.rocts
			mk[r], ids[r], ev[r], why[r] = f.mark, f.id, key.EventDestroy, f.reason
			st[r], en[r] = engine.Time(f.start), engine.Time(f.ended)
			have[r] = bits
		}
	}
}

// next draws a connection: all hosts and servers are alike.
func (g *gen) next(f *flow) {
	x := g.rng.next()
	is6 := x>>40%100 < uint64(g.ipv6)
	src, dst := addresses(x, g.hosts, is6)
	proto, port := service(x >> 48 % 100)
	k := 1 + x>>8&15
	g.clock += int64(g.interval)
	*f = flow{
		is6: is6, src: src, nat: src, dst: dst, proto: proto, dport: port, sport: uint16(32768 + x>>20%28232),
		pkts: k, octets: 40 + k*(x>>12&511), rpkts: k + 2, rocts: 40 + k*(x>>16&1023),
		id: uint32(x >> 24), reason: key.EndDetected, ended: g.clock, start: g.clock - int64(x>>30&0xffffffff),
	}
	f.natPort = f.sport
}
