// Traffic as an uplink carries it.

package packettest

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"
	"math/rand/v2"
	"time"
)

// A Trace describes traffic as an uplink carries it: connections with two directions, a few of them
// long and most short, packets of mixed sizes, 85 % IPv4, 75 % TCP. Equal traces are equal to the
// octet.
type Trace struct {
	Seed    uint64
	Packets int           // 5 million unless given
	Flows   int           // directions of connections that start, about; 600,000 unless given
	Length  time.Duration // 5 minutes unless given
	Snaplen int           // octets kept of a packet; 128 unless given
}

// start is the time of a trace's first packet: 2024-05-01 12:00 UTC.
const start = 1714564800 * int64(time.Second)

// conn is a connection on its way through the trace.
type conn struct {
	next       int64   // time of its next packet
	gap        float64 // mean time between packets, in ns
	left, sent uint32  // packets to come, packets gone
	src, dst   uint32  // numbers from which addresses are made
	sport      uint16
	dport      uint16
	proto      uint8
	six        bool
	oneWay     bool // nobody answers
	closes     bool // ends with FIN
	bulk       bool // large packets one way, acknowledgements the other
}

// Write writes the trace as a classic capture file with nanosecond times, and tells how many
// packets it has.
func (t Trace) Write(w io.Writer) (packets int, err error) {
	t = t.defaults()
	out := bufio.NewWriterSize(w, 1<<20)
	form := Pcap{Nano: true, Snaplen: uint32(t.Snaplen)}
	if _, err := out.Write(form.header(LinkEthernet)); err != nil {
		return 0, err
	}
	g := generator{Trace: t, r: rand.New(rand.NewPCG(t.Seed, 17))}
	g.plan()
	record := make([]byte, 16+1514)
	for packets < t.Packets && len(g.heap) > 0 {
		n := g.packet(record)
		if _, err := out.Write(record[:n]); err != nil {
			return packets, err
		}
		packets++
	}
	return packets, out.Flush()
}

func (t Trace) defaults() Trace {
	if t.Packets == 0 {
		t.Packets = 5_000_000
	}
	if t.Flows == 0 {
		t.Flows = 600_000
	}
	if t.Length == 0 {
		t.Length = 5 * time.Minute
	}
	if t.Snaplen == 0 {
		t.Snaplen = 128
	}
	return t
}

// generator makes a trace's packets in the order of time. Connections that have begun wait in a
// heap for their next packet; those still to begin are drawn when their time comes.
type generator struct {
	Trace
	r       *rand.Rand
	sizes   []uint32 // packets of each connection, in the order they start
	started int
	spacing float64 // time between two starts, in ns
	heap    []conn
}

// plan draws the sizes of all connections so that they sum to the trace's packets, and starts the
// first.
func (g *generator) plan() {
	// 0.64 of the connections have two directions, so that Flows directions start.
	n := max(1, int(float64(g.Flows)/1.64))
	weights := make([]float64, n)
	var total float64
	for i := range weights {
		// Bounded Pareto, shape 1.1: a tenth of the connections carries most of the packets.
		weights[i] = min(math.Pow(1-g.r.Float64(), -1/1.1), 3000)
		total += weights[i]
	}
	g.sizes = make([]uint32, n)
	scale := float64(g.Packets-2*n) / total
	for i, w := range weights {
		g.sizes[i] = uint32(2 + max(0, scale*w) + g.r.Float64())
	}
	g.spacing = float64(g.Length) * 0.97 / float64(n)
	g.start()
}

func (g *generator) start() {
	c := conn{
		next: start + int64(float64(g.started)*g.spacing),
		left: g.sizes[g.started],
		src:  uint32(g.r.ExpFloat64() * 3000), dst: uint32(g.r.ExpFloat64() * 20000),
		sport: uint16(32768 + g.r.IntN(28000)),
		six:   g.r.Float64() < 0.15,
	}
	g.started++
	switch p := g.r.Float64(); {
	case p < 0.74:
		c.proto, c.dport, c.bulk = 6, pick(g.r, 443, 80, 443, 22, 25, 8080, 443, 993), true
	case p < 0.98:
		c.proto, c.dport, c.bulk = 17, pick(g.r, 443, 53, 443, 123, 4500, 53, 3478, 5060), c.left > 20
	default:
		c.proto = 1
	}
	c.oneWay = g.r.Float64() < 0.36 && c.left < 50
	c.closes = g.r.Float64() < 0.8
	// Within the rest of the trace, with pauses that are sometimes longer than 15 s.
	duration := g.r.ExpFloat64() * 2e9 * math.Log2(1+float64(c.left))
	rest := float64(start+int64(g.Length)-c.next) * 0.98
	c.gap = min(duration, rest) / float64(c.left)
	g.push(c)
}

func pick(r *rand.Rand, from ...uint16) uint16 { return from[r.IntN(len(from))] }

// packet writes the next packet as a record of the capture file and returns the record's length.
func (g *generator) packet(record []byte) int {
	for g.started < len(g.sizes) && start+int64(float64(g.started)*g.spacing) <= g.heap[0].next {
		g.start()
	}
	c := &g.heap[0]
	back := !c.oneWay && (c.sent == 1 || c.sent > 2 && g.r.Uint32()&3 == 0)
	wire := g.frame(record[16:], c, back)
	kept := min(wire, g.Snaplen)
	le := binary.LittleEndian
	le.PutUint32(record, uint32(c.next/1e9))
	le.PutUint32(record[4:], uint32(c.next%1e9))
	le.PutUint32(record[8:], uint32(kept))
	le.PutUint32(record[12:], uint32(wire))

	c.left--
	c.sent++
	if c.left == 0 {
		g.pop()
		if len(g.heap) == 0 && g.started < len(g.sizes) {
			g.start()
		}
	} else {
		c.next = min(c.next+int64(g.r.ExpFloat64()*c.gap), start+int64(g.Length))
		g.sink()
	}
	return 16 + kept
}

// frame writes an Ethernet frame of the connection and returns its length on the wire.
func (g *generator) frame(b []byte, c *conn, back bool) int {
	clear(b[:14+60+g.Snaplen])
	from, to, sport, dport := 0x0a000000+c.src, 0xc6120000+c.dst, c.sport, c.dport // 10/8, 198.18/15
	if back {
		from, to, sport, dport = to, from, dport, sport
	}
	payload := g.payload(c, back)
	transport := [...]int{1: 8, 6: 20, 17: 8}[c.proto]
	b[5], b[11] = 2, 1
	var h []byte
	var length int
	if c.six {
		length = 40 + transport + payload
		be.PutUint16(b[12:], TypeIPv6)
		h = b[14:]
		h[0] = 0x60
		be.PutUint16(h[4:], uint16(transport+payload))
		h[6], h[7] = c.proto, 60
		if c.proto == 1 {
			h[6] = 58
		}
		be.PutUint32(h[8:], 0x20010db8)
		be.PutUint32(h[20:], from)
		be.PutUint32(h[24:], 0x20010db8)
		be.PutUint32(h[36:], to)
		h = h[40:]
	} else {
		length = 20 + transport + payload
		be.PutUint16(b[12:], TypeIPv4)
		h = b[14:]
		h[0] = 0x45
		be.PutUint16(h[2:], uint16(length))
		be.PutUint16(h[4:], uint16(c.sent))
		h[6], h[8], h[9] = 0x40, 60, c.proto
		be.PutUint32(h[12:], from)
		be.PutUint32(h[16:], to)
		be.PutUint16(h[10:], ^uint16(sum(h[:20], 0)))
		h = h[20:]
	}
	switch c.proto {
	case 6:
		be.PutUint16(h, sport)
		be.PutUint16(h[2:], dport)
		be.PutUint32(h[4:], c.sent)
		h[12], h[13] = 5<<4, tcpFlags(c)
		be.PutUint16(h[14:], 65535)
	case 17:
		be.PutUint16(h, sport)
		be.PutUint16(h[2:], dport)
		be.PutUint16(h[4:], uint16(8+payload))
	default:
		h[0] = echo(c.six, back)
		be.PutUint16(h[4:], c.sport)
		be.PutUint16(h[6:], uint16(c.sent))
	}
	return max(60, 14+length)
}

// tcpFlags makes a handshake, data, and a FIN in each direction's last packets.
func tcpFlags(c *conn) byte {
	switch {
	case c.sent == 0:
		return SYN
	case c.sent == 1 && !c.oneWay:
		return SYN | ACK
	case c.closes && c.left <= 2 && c.sent > 2:
		return FIN | ACK
	case c.sent&3 == 0:
		return PSH | ACK
	}
	return ACK
}

func echo(six, reply bool) byte {
	switch {
	case six && reply:
		return 129
	case six:
		return 128
	case reply:
		return 0
	}
	return 8
}

// payload draws the octets behind the transport header.
func (g *generator) payload(c *conn, back bool) int {
	most := 1460
	if c.six {
		most = 1420
	}
	switch draw := g.r.Uint32(); {
	case c.proto == 6 && c.sent < 3:
		return 0
	case c.proto == 1:
		return 56
	case c.bulk && back:
		return 0
	case c.bulk && draw&3 != 0:
		return most
	default:
		return 20 + int(draw>>8)%600
	}
}

// The heap is ordered by the time of the next packet; its first connection is the next to send.

func (g *generator) push(c conn) {
	g.heap = append(g.heap, c)
	for i := len(g.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if g.heap[parent].next <= g.heap[i].next {
			return
		}
		g.heap[parent], g.heap[i] = g.heap[i], g.heap[parent]
		i = parent
	}
}

func (g *generator) pop() {
	last := len(g.heap) - 1
	g.heap[0] = g.heap[last]
	g.heap = g.heap[:last]
	g.sink()
}

// sink moves the first connection to where its next packet's time puts it.
func (g *generator) sink() {
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(g.heap) {
			return
		}
		if r := child + 1; r < len(g.heap) && g.heap[r].next < g.heap[child].next {
			child = r
		}
		if g.heap[i].next <= g.heap[child].next {
			return
		}
		g.heap[i], g.heap[child] = g.heap[child], g.heap[i]
		i = child
	}
}
