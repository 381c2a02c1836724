// The keys of TCP headers (RFC 9293).

package base

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// tcpKeys are those of RFC 9293's header.
type tcpKeys struct {
	bits, urgBits      uint64
	sport, dport       engine.Col[uint16]
	seq, ackSeq        engine.Col[uint32]
	window             engine.Col[uint16]
	offset, reserved   engine.Col[uint8]
	urg                engine.Col[bool]
	urgp               engine.Col[uint16]
	ack, psh, rst, syn engine.Col[bool]
	fin                engine.Col[bool]
	res1, res2         engine.Col[uint8]
	csum               engine.Col[uint16]
}

func (k *tcpKeys) bind(p *engine.Binder) {
	g, urg := p.Group(), p.Group()
	k.bits, k.urgBits = g.Mask(), urg.Mask()
	k.sport = engine.Give(p, g, key.TCPSport)
	k.dport = engine.Give(p, g, key.TCPDport)
	k.seq = engine.Give(p, g, key.TCPSeq)
	k.ackSeq = engine.Give(p, g, key.TCPAckSeq)
	k.window = engine.Give(p, g, key.TCPWindow)
	k.offset = engine.Give(p, g, key.TCPOffset)
	k.reserved = engine.Give(p, g, key.TCPReserved)
	k.urg = engine.Give(p, g, key.TCPURG)
	k.urgp = engine.Give(p, urg, key.TCPURGP)
	k.ack = engine.Give(p, g, key.TCPACK)
	k.psh = engine.Give(p, g, key.TCPPSH)
	k.rst = engine.Give(p, g, key.TCPRST)
	k.syn = engine.Give(p, g, key.TCPSYN)
	k.fin = engine.Give(p, g, key.TCPFIN)
	k.res1 = engine.Give(p, g, key.TCPRes1)
	k.res2 = engine.Give(p, g, key.TCPRes2)
	k.csum = engine.Give(p, g, key.TCPCsum)
}

func (k *tcpKeys) wanted() bool {
	return anyWanted(k.sport, k.dport, k.seq, k.ackSeq, k.window, k.offset, k.reserved,
		k.urg, k.urgp, k.ack, k.psh, k.rst, k.syn, k.fin, k.res1, k.res2, k.csum)
}

// The flags in octet 13.
const (
	tcpFIN = 1 << iota
	tcpSYN
	tcpRST
	tcpPSH
	tcpACK
	tcpURG
)

func (k *tcpKeys) fill(b *engine.Batch, h *headers) {
	sport, dport, seq, ackSeq, window := k.sport.Of(b), k.dport.Of(b), k.seq.Of(b), k.ackSeq.Of(b), k.window.Of(b)
	offset, reserved, urg, urgp := k.offset.Of(b), k.reserved.Of(b), k.urg.Of(b), k.urgp.Of(b)
	ack, psh, rst, syn, fin := k.ack.Of(b), k.psh.Of(b), k.rst.Of(b), k.syn.Of(b), k.fin.Of(b)
	res1, res2, csum := k.res1.Of(b), k.res2.Of(b), k.csum.Of(b)
	have := b.Have()
	for _, r := range b.Rows() {
		if have[r]&k.bits == 0 {
			continue
		}
		t := h.l4(b, r)[:20]
		flags := t[13]
		sport[r], dport[r], seq[r], ackSeq[r] = be.Uint16(t), be.Uint16(t[2:]), be.Uint32(t[4:]), be.Uint32(t[8:])
		window[r], csum[r] = be.Uint16(t[14:]), be.Uint16(t[16:])
		offset[r], reserved[r] = t[12]>>4, t[12]&15
		if h.compat {
			offset[r], reserved[r] = 0, 0
		}
		res1[r], res2[r] = t[12]&15, flags>>6
		urg[r], ack[r], psh[r] = flags&tcpURG != 0, flags&tcpACK != 0, flags&tcpPSH != 0
		rst[r], syn[r], fin[r] = flags&tcpRST != 0, flags&tcpSYN != 0, flags&tcpFIN != 0
		if flags&tcpURG != 0 {
			urgp[r] = be.Uint16(t[18:])
			have[r] |= k.urgBits
		}
	}
}
