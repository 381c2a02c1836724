// Decoding ctnetlink messages in place (linux/netfilter/nfnetlink_conntrack.h). Unknown attributes
// are skipped: newer kernels add some. Values are in network byte order.

package nfct

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/input/netlink/nlattr"
)

// Types of ctnetlink messages: the subsystem and its message number.
const (
	msgNew    = unix.NFNL_SUBSYS_CTNETLINK << 8 // also UPDATE events and entries of dumps
	msgGet    = unix.NFNL_SUBSYS_CTNETLINK<<8 | 1
	msgDelete = unix.NFNL_SUBSYS_CTNETLINK<<8 | 2
	msgReset  = unix.NFNL_SUBSYS_CTNETLINK<<8 | 3 // dump that zeroes the counters
)

const (
	ctaTupleOrig      = 1
	ctaTupleReply     = 2
	ctaStatus         = 3
	ctaProtoInfo      = 4
	ctaHelp           = 5
	ctaTimeout        = 7
	ctaMark           = 8
	ctaCountersOrig   = 9
	ctaCountersReply  = 10
	ctaID             = 12
	ctaTupleMaster    = 14
	ctaZone           = 18
	ctaSecCtx         = 19
	ctaTimestamp      = 20
	ctaLabels         = 22
	ctaTimestampEvent = 27 // Linux 6.14; newer than many installed headers

	ctaTupleIP    = 1
	ctaTupleProto = 2
	ctaTupleZone  = 3

	ctaIPv4Src = 1
	ctaIPv4Dst = 2
	ctaIPv6Src = 3
	ctaIPv6Dst = 4

	ctaProtoNum        = 1
	ctaProtoSrcPort    = 2
	ctaProtoDstPort    = 3
	ctaProtoICMPID     = 4
	ctaProtoICMPType   = 5
	ctaProtoICMPCode   = 6
	ctaProtoICMPv6ID   = 7
	ctaProtoICMPv6Type = 8
	ctaProtoICMPv6Code = 9

	ctaProtoInfoTCP   = 1
	ctaProtoInfoSCTP  = 3
	ctaProtoInfoState = 1 // CTA_PROTOINFO_TCP_STATE, CTA_PROTOINFO_SCTP_STATE
	first64           = 1 // CTA_COUNTERS_PACKETS, CTA_TIMESTAMP_START
	second64          = 2 // CTA_COUNTERS_BYTES, CTA_TIMESTAMP_STOP
	ctaName           = 1 // CTA_HELP_NAME, CTA_SECCTX_NAME
)

// nfgenLen is the octets of struct nfgenmsg in front of the attributes: family, version, resource
// id.
const nfgenLen = 4

// decode reads one message into f and reports whether it describes a connection completely: both
// tuples.
func (f *flow) decode(m *nlattr.Message) bool {
	if len(m.Body) < nfgenLen {
		return false
	}
	f.family = m.Body[0]
	switch {
	case m.Type == msgDelete:
		f.event = key.EventDestroy
	case m.Flags&(unix.NLM_F_CREATE|unix.NLM_F_EXCL) != 0:
		f.event = key.EventNew
	default:
		f.event = key.EventUpdate
	}
	f.sent, f.answered = counters{}, counters{}
	f.orig.has, f.reply.has, f.has = 0, 0, 0
	f.start, f.stop, f.stamp, f.ended = 0, 0, 0, 0
	f.mark, f.id, f.status, f.timeout, f.zone, f.tcpState, f.sctpState = 0, 0, 0, 0, 0, 0, 0
	ok := true
	for attrs := m.Body[nfgenLen:]; len(attrs) > 0; {
		var kind uint16
		var v []byte
		kind, v, attrs = nlattr.Next(attrs)
		switch kind {
		case ctaTupleOrig:
			ok = f.orig.decode(v) && ok
		case ctaTupleReply:
			ok = f.reply.decode(v) && ok
		case ctaCountersOrig:
			ok = f.sent.decode(v) && ok
			f.has |= hasCounters
		case ctaCountersReply:
			ok = f.answered.decode(v) && ok
		case ctaTimestamp:
			ok = f.times(v) && ok
		case ctaProtoInfo:
			ok = f.protoInfo(v) && ok
		case ctaID:
			ok = number32(v, &f.id) && ok
			f.has |= hasID
		case ctaStatus:
			ok = number32(v, &f.status) && ok
		case ctaMark:
			ok = number32(v, &f.mark) && ok
		case ctaTimeout:
			ok = number32(v, &f.timeout) && ok
		case ctaZone:
			ok = number16(v, &f.zone) && ok
		case ctaTimestampEvent:
			ok = number64(v, &f.stamp) && ok
		case ctaLabels:
			n := copy(f.labels[:], v)
			clear(f.labels[n:])
			f.has |= hasLabels
		case ctaHelp:
			f.helper = name(v)
			f.has |= hasHelper
		case ctaSecCtx:
			f.secctx = name(v)
			f.has |= hasSecCtx
		case ctaTupleMaster:
			ok = f.master.decode(v) && ok
			f.has |= hasMaster
		case nlattr.Malformed:
			return false
		}
	}
	const complete = hasIP | hasProto
	return ok && f.orig.has&f.reply.has&complete == complete
}

func (t *tuple) decode(b []byte) bool {
	return t.usual(b) || t.walk(b)
}

func (t *tuple) walk(b []byte) bool {
	*t = tuple{}
	ok := true
	for len(b) > 0 {
		var kind uint16
		var v []byte
		kind, v, b = nlattr.Next(b)
		switch kind {
		case ctaTupleIP:
			ok = t.addresses(v) && ok
		case ctaTupleProto:
			ok = t.protocol(v) && ok
		case ctaTupleZone:
			ok = number16(v, &t.zone) && ok
			t.has |= hasZone
		case nlattr.Malformed:
			return false
		}
	}
	return ok
}

func (t *tuple) addresses(b []byte) bool {
	seen := 0
	for len(b) > 0 {
		var kind uint16
		var v []byte
		kind, v, b = nlattr.Next(b)
		switch {
		case kind == ctaIPv4Src && len(v) == 4:
			t.src = engine.AddrFrom4(v)
			seen |= 1
		case kind == ctaIPv4Dst && len(v) == 4:
			t.dst = engine.AddrFrom4(v)
			seen |= 2
		case kind == ctaIPv6Src && len(v) == 16:
			t.src = engine.AddrFrom16(v)
			seen |= 1
		case kind == ctaIPv6Dst && len(v) == 16:
			t.dst = engine.AddrFrom16(v)
			seen |= 2
		case kind == nlattr.Malformed:
			return false
		}
	}
	t.has |= hasIP
	return seen == 3
}

func (t *tuple) protocol(b []byte) bool {
	ok := true
	for len(b) > 0 {
		var kind uint16
		var v []byte
		kind, v, b = nlattr.Next(b)
		switch kind {
		case ctaProtoNum:
			ok = number8(v, &t.proto) && ok
			t.has |= hasProto
		case ctaProtoSrcPort:
			ok = number16(v, &t.sport) && ok
			t.has |= hasPorts
		case ctaProtoDstPort:
			ok = number16(v, &t.dport) && ok
		case ctaProtoICMPID, ctaProtoICMPv6ID:
			ok = number16(v, &t.sport) && ok
		case ctaProtoICMPType, ctaProtoICMPv6Type:
			ok = number8(v, &t.icmpType) && ok
			t.has |= hasICMP
		case ctaProtoICMPCode, ctaProtoICMPv6Code:
			ok = number8(v, &t.icmpCode) && ok
		case nlattr.Malformed:
			return false
		}
	}
	if t.has&hasICMP != 0 {
		t.dport = uint16(t.icmpType)<<8 | uint16(t.icmpCode)
	}
	return ok
}

func (c *counters) decode(b []byte) (ok bool) {
	if c.packets, c.octets, ok = two64(b); !ok {
		c.packets, c.octets, ok = walk64(b)
	}
	return ok
}

func (f *flow) times(b []byte) bool {
	start, stop, ok := two64(b)
	if !ok {
		start, stop, ok = walk64(b)
	}
	f.start, f.stop = int64(start), int64(stop)
	return ok
}

// walk64 reads the numbers of two64 in any shape; one that is not there is 0.
func walk64(b []byte) (x, y uint64, ok bool) {
	ok = true
	for len(b) > 0 {
		var kind uint16
		var v []byte
		kind, v, b = nlattr.Next(b)
		switch kind {
		case first64:
			ok = number64(v, &x) && ok
		case second64:
			ok = number64(v, &y) && ok
		case nlattr.Malformed:
			return 0, 0, false
		}
	}
	return x, y, ok
}

// protoInfo reads the state of TCP and of SCTP.
func (f *flow) protoInfo(b []byte) bool {
	ok := true
	for len(b) > 0 {
		var kind uint16
		var v []byte
		kind, v, b = nlattr.Next(b)
		if kind == nlattr.Malformed {
			return false
		}
		for (kind == ctaProtoInfoTCP || kind == ctaProtoInfoSCTP) && len(v) > 0 {
			var inner uint16
			var state []byte
			inner, state, v = nlattr.Next(v)
			if inner == nlattr.Malformed {
				return false
			}
			switch {
			case inner != ctaProtoInfoState:
			case kind == ctaProtoInfoSCTP:
				ok = number8(state, &f.sctpState) && ok
			default:
				ok = number8(state, &f.tcpState) && ok
				f.has |= hasTCP
			}
		}
	}
	return ok
}

// name reads a nest whose only use is a zero-terminated text.
func name(b []byte) []byte {
	for len(b) > 0 {
		var kind uint16
		var v []byte
		kind, v, b = nlattr.Next(b)
		if kind == ctaName {
			for i, c := range v {
				if c == 0 {
					return v[:i]
				}
			}
			return v
		}
	}
	return nil
}

func number8(v []byte, to *uint8) bool {
	if len(v) != 1 {
		return false
	}
	*to = v[0]
	return true
}

func number16(v []byte, to *uint16) bool {
	if len(v) != 2 {
		return false
	}
	*to = binary.BigEndian.Uint16(v)
	return true
}

func number32(v []byte, to *uint32) bool {
	if len(v) != 4 {
		return false
	}
	*to = binary.BigEndian.Uint32(v)
	return true
}

func number64[T int64 | uint64](v []byte, to *T) bool {
	if len(v) != 8 {
		return false
	}
	*to = T(binary.BigEndian.Uint64(v))
	return true
}
