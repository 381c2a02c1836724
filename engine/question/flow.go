// A live flow as answers carry it.

package question

import (
	"net/netip"
	"strconv"
	"time"

	"ulogd/engine"
	"ulogd/engine/ipproto"
	"ulogd/engine/key"
)

// A Flow is a live flow of FLOW, or a connection that NFCT knows. What is not Known is zero.
type Flow struct {
	Instance string // id of who told of it
	Known    Known
	Proto    uint8
	// Src and Dst are what the initiator sent its first packet from and to; ReplySrc and ReplyDst
	// what the other side answers from and to, which differs where addresses are translated.
	Src, Dst               netip.Addr
	Sport, Dport           uint16
	ReplySrc, ReplyDst     netip.Addr
	ReplySport, ReplyDport uint16
	ICMPType, ICMPCode     uint8

	Packets, Octets           uint64 // of the initiator
	ReplyPackets, ReplyOctets uint64
	Counted                   engine.Time // when they were; 0: just now

	Start, Last engine.Time // first packet, and newest one
	Timeout     uint32      // seconds after which it ends unless another packet comes
	State       uint8       // of TCP, as key.TCPEstablished
	Flags       uint16      // of TCP, of all packets of the initiator
	In, Out     uint32      // interfaces
	Status      uint32      // of conntrack, as key.CTStatus
	Mark        uint32
	ID          uint32 // of conntrack
	Zone        uint16 // of conntrack
}

// Known says which values of a flow are known.
type Known uint32

// The values that may be unknown. Protocol and addresses never are.
const (
	Ports         Known = 1 << iota // Sport, Dport, and where ReplyTuple is known ReplySport, ReplyDport
	ICMP                            // ICMPType, ICMPCode
	ReplyTuple                      // ReplySrc, ReplyDst
	Counters                        // Packets, Octets
	ReplyCounters                   // ReplyPackets, ReplyOctets
	Start                           // Start
	Last                            // Last
	Timeout                         // Timeout
	State                           // State
	Flags                           // Flags
	In                              // In
	Out                             // Out
	Status                          // Status
	Mark                            // Mark
	ID                              // ID
	Zone                            // Zone
)

// Has reports whether all of some values are known.
func (f *Flow) Has(k Known) bool { return f.Known&k == k }

// AllOctets returns the octets of both directions, as far as they are known.
func (f *Flow) AllOctets() uint64 { return f.Octets + f.ReplyOctets }

// AllPackets returns the packets of both directions, as far as they are known.
func (f *Flow) AllPackets() uint64 { return f.Packets + f.ReplyPackets }

// service is the port of who was asked. Where only one direction is known nobody knows who asked whom:
// then it is the lower one, as those that ask take high ones.
func (f *Flow) service() uint16 {
	if f.Known&(ReplyTuple|ReplyCounters) == 0 {
		return min(f.Sport, f.Dport)
	}
	return f.Dport
}

// Translated reports whether addresses or ports are translated: whether replies come from somewhere
// else than requests go to, or go to somewhere else than these come from.
func (f *Flow) Translated() (src, dst bool) {
	if !f.Has(ReplyTuple) {
		return false, false
	}
	ports := f.Has(Ports)
	src = f.ReplyDst != f.Src || ports && f.ReplyDport != f.Sport
	dst = f.ReplySrc != f.Dst || ports && f.ReplySport != f.Dport
	return src, dst
}

// ProtoName returns the name of a protocol for people, or its number.
func ProtoName(proto uint8) string {
	if name := ipproto.Name(proto); name != "" {
		return name
	}
	return strconv.Itoa(int(proto))
}

// StateName returns the kernel's name of a TCP state.
func StateName(state uint8) string {
	if int(state) < len(key.TCPStateNames) {
		return key.TCPStateNames[state]
	}
	return strconv.Itoa(int(state))
}

// appendTime appends a time as JSON, UTC with milliseconds.
func appendTime(b []byte, t engine.Time) []byte {
	return time.Unix(0, int64(t)).UTC().AppendFormat(b, `"2006-01-02T15:04:05.000Z"`)
}
