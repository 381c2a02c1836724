// Connections as a gateway with NAT has them in a day: few hosts and servers have most of them, most are small and
// short and a few carry nearly all octets, there are less at night. Whole numbers alone, so that a seed makes the same
// everywhere.

package gen

import (
	"math/bits"
	"slices"
	"time"

	"ulogd/engine"
	"ulogd/engine/ipproto"
	"ulogd/engine/key"
)

// kinds are the services behind the gateway: how many in a thousand connections, and the servers, of which the first
// are asked most.
var kinds = []struct {
	share       uint64
	proto       uint8
	port        uint16 // 0: each server has its own
	first, many int    // servers
	shape       shape
}{
	{430, ipproto.TCP, 443, 0, 12000, transfer},
	{140, ipproto.UDP, 443, 0, 3000, transfer},
	{230, ipproto.UDP, 53, 12000, 4, question},
	{60, ipproto.TCP, 80, 12004, 2000, transfer},
	{40, ipproto.UDP, 123, 14004, 16, question},
	{20, ipproto.TCP, 993, 14020, 30, transfer},
	{20, ipproto.TCP, 5228, 14050, 20, waiting},
	{10, ipproto.TCP, 22, 14070, 40, waiting},
	{50, ipproto.UDP, 0, 14110, 5000, transfer},
}

// A shape is how a connection goes on.
type shape uint8

const (
	question shape = iota // a packet or two, and the answer
	transfer
	waiting // open for hours, with little in it
)

// hourly is how many connections there are in each hour of the day, in per cent of the average.
var hourly = [24]int64{
	45, 30, 22, 18, 17, 22, 45, 80, 115, 145, 155, 150, 135, 145, 150, 145, 140, 130, 125, 135, 150, 135, 100, 66,
}

const (
	servers15 = 198<<24 | 18<<16         // 198.18.0.0/15 (RFC 2544)
	public4   = 203<<24 | 0<<16 | 113<<8 // 203.0.113.0/24: what clients are translated to
	late      = 100                      // one server in so many is first met in the course of the day
	scanned   = servers15 + 1<<16        // where the host that scans begins
	scanFrom  = 3 * int64(time.Hour)     // and when
	scanUntil = scanFrom + 40*60*1_000_000_000
)

// A flow is a connection, with the server as the client sees it and the client as the server does.
type flow struct {
	is6           bool
	proto         uint8
	sport, dport  uint16
	natPort       uint16
	reason        uint8
	src, dst, nat engine.Addr
	octets, pkts  uint64
	rocts, rpkts  uint64
	mark, id      uint32
	start, ended  int64
}

// gateway draws connections.
type gateway struct {
	popular popular
	scans   uint32
}

// popular has the sums of shares by Zipf's law: the second has half of the first, the third a third.
type popular []uint64

func newPopular(n int) (p popular) {
	sum := uint64(0)
	for i := range uint64(n) {
		sum += 1 << 32 / (i + 1)
		p = append(p, sum)
	}
	return p
}

// draw returns one of the first n.
func (p popular) draw(n int, x uint64) int {
	at, _ := bits.Mul64(x, p[n-1])
	i, _ := slices.BinarySearch(p[:n], at+1)
	return i
}

func newGateway(hosts int) *gateway {
	most := hosts
	for _, k := range kinds {
		most = max(most, k.many)
	}
	return &gateway{popular: newPopular(most)}
}

// step is how long after the last connection at a time the next one ends.
func step(clock, interval int64, x uint64) int64 {
	const hour = int64(time.Hour)
	in := (clock - epoch) % (24 * hour)
	h := in / hour
	busy := (hourly[h]*(hour-in%hour) + hourly[(h+1)%24]*(in%hour)) / (hour / 1000) // per cent, thousandfold
	return interval * 100_000 / max(busy, 1) * int64(x>>48) >> 15                   // from none to twice as long
}

// next draws a connection that ends at a time.
func (w *gateway) next(g *gen, f *flow) {
	x, y, z := g.rng.next(), g.rng.next(), g.rng.next()
	i, n := 0, x%1000
	for ; n >= kinds[i].share; i++ {
		n -= kinds[i].share
	}
	k := &kinds[i]
	client := w.popular.draw(g.hosts, y)
	server := w.popular.draw(k.many, z)
	x >>= 10
	today := (g.clock - epoch) % (24 * int64(time.Hour))
	if server%late == late-1 && int64(server) > today/int64(time.Hour)*int64(k.many)/24 {
		server /= 2
	}
	*f = flow{
		proto: k.proto, dport: k.port, sport: uint16(32768 + x%28232), is6: x>>16%100 < uint64(g.ipv6),
		id: uint32(y ^ z), reason: key.EndDetected, ended: g.clock,
	}
	f.natPort = f.sport
	server += k.first
	if f.dport == 0 {
		f.dport = uint16(10000 + server*7%50000)
	}
	if f.proto == ipproto.UDP {
		f.reason = key.EndIdle
	}
	lasted := w.traffic(f, k.shape, g.rng.next())
	if today >= scanFrom && today < scanUntil && x>>24%8 == 0 {
		client, lasted = g.hosts-1, w.scan(f)
	} else if f.is6 {
		f.src = engine.Addr{Hi: net6, Lo: 0x10000 + uint64(client)}
		f.dst = engine.Addr{Hi: net6 + 1, Lo: 1 + uint64(server)}
		f.nat = f.src
	} else {
		f.dst = engine.Addr4(servers15 + uint32(server))
	}
	if !f.is6 {
		f.src, f.nat = engine.Addr4(uint32(clients4+client)), engine.Addr4(public4+1+uint32(client%4))
		if x>>32%4 == 0 { // the port is taken
			f.natPort = uint16(1024 + x>>36%64512)
		}
	}
	if x>>40%100 == 0 {
		f.mark = 0x10
	}
	f.start = f.ended - lasted
}

// traffic draws what goes through a connection, and how long. The number of packets is Pareto's, with an exponent of
// one: one in n has n and more.
func (w *gateway) traffic(f *flow, s shape, x uint64) (lasted int64) {
	n := uint64(1<<20) / (x&(1<<20-1) + 1)
	x >>= 20
	ms := int64(1) << (x % 13) // each doubling is as frequent as any other
	x >>= 4
	ms += int64(x&0xffff) * ms >> 16
	x >>= 16
	switch s {
	case question:
		f.pkts, f.rpkts = 1+x>>8%16/15, 1
		f.octets, f.rocts = f.pkts*(56+x%32), 72+x>>12%448
		return ms * int64(time.Millisecond) / 16
	case waiting:
		n = min(n, 1<<12)
		ms *= 1 << 12
	}
	f.pkts, f.rpkts = 4+n, 3+n+n*(x%4)/2
	f.octets, f.rocts = f.pkts*(40+x>>8%120), f.rpkts*(60+x>>4%1360)
	if x>>14%10 == 0 { // it sends more than it gets
		f.pkts, f.rpkts, f.octets, f.rocts = f.rpkts, f.pkts, f.rocts, f.octets
	}
	return (ms + int64(n)) * int64(time.Millisecond)
}

// scan makes one of the connections of the host that looks for open ports: nobody answers.
func (w *gateway) scan(f *flow) (lasted int64) {
	f.is6, f.proto, f.dport, f.reason = false, ipproto.TCP, 445, key.EndIdle
	f.dst = engine.Addr4(scanned + w.scans%(1<<16))
	f.pkts, f.octets, f.rpkts, f.rocts = 1, 60, 0, 0
	w.scans++
	return 0
}
