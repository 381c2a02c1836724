// One connection as a ctnetlink message describes it.

package nfct

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// flow is what one message says. Addresses are in the engine's form, everything else in host order.
// Byte slices lie in the datagram: they are valid until the next one is received.
type flow struct {
	orig, reply tuple
	sent        counters // counted in the original direction
	answered    counters // counted in the reply direction
	start, stop int64    // the kernel's time stamps, nanoseconds since 1970; 0 where it sends none
	ended       int64    // when the entry ended; 0: it lives, as far as is known
	stamp       int64    // when the kernel made the event (CTA_TIMESTAMP_EVENT); 0 where it does not say
	mark        uint32
	id          uint32
	status      uint32
	timeout     uint32 // seconds the entry had still to live
	zone        uint16
	family      uint8
	tcpState    uint8
	sctpState   uint8
	event       uint8 // key.EventNew, key.EventUpdate, key.EventDestroy
	has         parts
	labels      engine.Label
	helper      []byte
	secctx      []byte
	master      tuple // the connection that expected this one
}

// tuple is one direction of a connection.
type tuple struct {
	src, dst     engine.Addr
	sport, dport uint16 // without ports: ICMP's identifier, and its type times 256 plus its code
	zone         uint16 // of this direction only
	proto        uint8
	icmpType     uint8
	icmpCode     uint8
	has          parts
}

type counters struct{ packets, octets uint64 }

// parts says which attributes were there.
type parts uint16

const (
	hasIP parts = 1 << iota
	hasProto
	hasPorts
	hasICMP
	hasZone
	hasID
	hasTCP
	hasLabels
	hasHelper
	hasSecCtx
	hasMaster
	hasCounters
)

// Bits of ct.status (linux/netfilter/nf_conntrack_common.h).
const (
	statusSeenReply    = 1 << 1        // IPS_SEEN_REPLY
	statusAssured      = 1 << 2        // IPS_ASSURED
	statusNAT          = 1<<4 | 1<<5   // IPS_SRC_NAT, IPS_DST_NAT
	statusDying        = 1 << 9        // IPS_DYING
	statusFixedTimeout = 1 << 10       // IPS_FIXED_TIMEOUT: set by hand, and no packet changes it
	statusOffload      = 1<<14 | 1<<15 // IPS_OFFLOAD, IPS_HW_OFFLOAD
)

// endReason tells why the kernel destroyed the connection: TCP says so itself; an entry with time
// left was removed by somebody (conntrack -D, early drop); the others ran out.
func (f *flow) endReason() uint8 {
	switch {
	case f.has&hasTCP != 0 && key.TCPEnded(f.tcpState):
		return key.EndDetected
	case f.timeout > 0:
		return key.EndForced
	}
	return key.EndIdle
}
