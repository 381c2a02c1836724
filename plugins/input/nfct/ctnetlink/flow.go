// One connection as a ctnetlink message describes it.

package ctnetlink

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// Flow is what one message says. Addresses are in the engine's form, everything else in host order.
// Byte slices lie in the datagram: they are valid until the next one is received.
type Flow struct {
	Orig, Reply Tuple
	Sent        Counters // counted in the original direction
	Answered    Counters // counted in the reply direction
	Start, Stop int64    // the kernel's time stamps, nanoseconds since 1970; 0 where it sends none
	Ended       int64    // when the entry ended; 0: it lives, as far as is known
	Stamp       int64    // when the kernel made the event (CTA_TIMESTAMP_EVENT); 0 where it does not say
	Mark        uint32
	ID          uint32
	Status      uint32
	Timeout     uint32 // seconds the entry had still to live
	Zone        uint16
	Family      uint8
	TCPState    uint8
	SCTPState   uint8
	Event       uint8 // key.EventNew, key.EventUpdate, key.EventDestroy
	Has         Parts
	Labels      engine.Label
	Helper      []byte
	SecCtx      []byte
	Master      Tuple // the connection that expected this one
}

// Tuple is one direction of a connection.
type Tuple struct {
	Src, Dst     engine.Addr
	Sport, Dport uint16 // without ports: ICMP's identifier, and its type times 256 plus its code
	Zone         uint16 // of this direction only
	Proto        uint8
	ICMPType     uint8
	ICMPCode     uint8
	Has          Parts
}

type Counters struct{ Packets, Octets uint64 }

// Parts says which attributes were there.
type Parts uint16

const (
	HasIP Parts = 1 << iota
	HasProto
	HasPorts
	HasICMP
	HasZone
	HasID
	HasTCP
	HasLabels
	HasHelper
	HasSecCtx
	HasMaster
	HasCounters
)

// Bits of ct.status (linux/netfilter/nf_conntrack_common.h).
const (
	StatusSeenReply    = 1 << 1        // IPS_SEEN_REPLY
	StatusAssured      = 1 << 2        // IPS_ASSURED
	StatusNAT          = 1<<4 | 1<<5   // IPS_SRC_NAT, IPS_DST_NAT
	StatusDying        = 1 << 9        // IPS_DYING
	StatusFixedTimeout = 1 << 10       // IPS_FIXED_TIMEOUT: set by hand, and no packet changes it
	StatusOffload      = 1<<14 | 1<<15 // IPS_OFFLOAD, IPS_HW_OFFLOAD
)

// EndReason tells why the kernel destroyed the connection: TCP says so itself; an entry with time
// left was removed by somebody (conntrack -D, early drop); the others ran out.
func (f *Flow) EndReason() uint8 {
	switch {
	case f.Has&HasTCP != 0 && key.TCPEnded(f.TCPState):
		return key.EndDetected
	case f.Timeout > 0:
		return key.EndForced
	}
	return key.EndIdle
}

// Refused reports whether an entry ended with its last packet: the kernel removes that of a TCP
// connection whose only answer is a reset.
func (f *Flow) Refused() bool {
	return f.Has&HasTCP != 0 && f.TCPState == key.TCPClose && f.Status&StatusSeenReply == 0
}

// Add and sub change counts by others.
func (c *Counters) Add(d Counters) {
	c.Packets += d.Packets
	c.Octets += d.Octets
}

func (c *Counters) Sub(d Counters) {
	c.Packets -= min(d.Packets, c.Packets)
	c.Octets -= min(d.Octets, c.Octets)
}

// Fewer reports whether the kernel's counters were zeroed since they were old.
func (c Counters) Fewer(old Counters) bool { return c.Packets < old.Packets || c.Octets < old.Octets }
