// Decoding ctnetlink messages in place (linux/netfilter/nfnetlink_conntrack.h). Unknown attributes
// are skipped: newer kernels add some. Values are in network byte order.

package ctnetlink

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/input/netlink/nlattr"
)

// Types of ctnetlink messages: the subsystem and its message number.
const (
	MsgNew    = unix.NFNL_SUBSYS_CTNETLINK << 8 // also UPDATE events and entries of dumps
	MsgGet    = unix.NFNL_SUBSYS_CTNETLINK<<8 | 1
	MsgDelete = unix.NFNL_SUBSYS_CTNETLINK<<8 | 2
	// Entries that have ended and of which a listener has not been told (IPCTNL_MSG_CT_GET_DYING).
	MsgGetDying = unix.NFNL_SUBSYS_CTNETLINK<<8 | 6
	MsgReset    = unix.NFNL_SUBSYS_CTNETLINK<<8 | 3 // dump that zeroes the counters
	MsgGetStats = unix.NFNL_SUBSYS_CTNETLINK<<8 | 5 // sums of the whole table
)

const (
	CTATupleOrig      = 1
	CTATupleReply     = 2
	CTAStatus         = 3
	CTAProtoInfo      = 4
	CTAHelp           = 5
	CTATimeout        = 7
	CTAMark           = 8
	CTACountersOrig   = 9
	CTACountersReply  = 10
	CTAID             = 12
	CTATupleMaster    = 14
	CTAZone           = 18
	CTASecCtx         = 19
	CTATimestamp      = 20
	CTALabels         = 22
	CTATimestampEvent = 27 // Linux 6.14; newer than many installed headers

	CTATupleIP    = 1
	CTATupleProto = 2
	CTATupleZone  = 3

	CTAIPv4Src = 1
	CTAIPv4Dst = 2
	CTAIPv6Src = 3
	CTAIPv6Dst = 4

	CTAProtoNum        = 1
	CTAProtoSrcPort    = 2
	CTAProtoDstPort    = 3
	CTAProtoICMPID     = 4
	CTAProtoICMPType   = 5
	CTAProtoICMPCode   = 6
	CTAProtoICMPv6ID   = 7
	CTAProtoICMPv6Type = 8
	CTAProtoICMPv6Code = 9

	CTAProtoInfoTCP   = 1
	CTAProtoInfoSCTP  = 3
	CTAProtoInfoState = 1 // CTA_PROTOINFO_TCP_STATE, CTA_PROTOINFO_SCTP_STATE
	First64           = 1 // CTA_COUNTERS_PACKETS, CTA_TIMESTAMP_START
	Second64          = 2 // CTA_COUNTERS_BYTES, CTA_TIMESTAMP_STOP
	CTAName           = 1 // CTA_HELP_NAME, CTA_SECCTX_NAME
)

// HeaderLen is the octets of struct nfgenmsg in front of the attributes: family, version, resource
// id.
const HeaderLen = 4

// Decode reads one message into f and reports whether it describes a connection completely: both
// tuples.
func (f *Flow) Decode(m *nlattr.Message) bool {
	if len(m.Body) < HeaderLen {
		return false
	}
	f.Family = m.Body[0]
	switch {
	case m.Type == MsgDelete:
		f.Event = key.EventDestroy
	case m.Flags&(unix.NLM_F_CREATE|unix.NLM_F_EXCL) != 0:
		f.Event = key.EventNew
	default:
		f.Event = key.EventUpdate
	}
	f.Sent, f.Answered = Counters{}, Counters{}
	f.Orig.Has, f.Reply.Has, f.Has = 0, 0, 0
	f.Start, f.Stop, f.Stamp, f.Ended = 0, 0, 0, 0
	f.Mark, f.ID, f.Status, f.Timeout, f.Zone, f.TCPState, f.SCTPState = 0, 0, 0, 0, 0, 0, 0
	ok := true
	for attrs := m.Body[HeaderLen:]; len(attrs) > 0; {
		var kind uint16
		var v []byte
		kind, v, attrs = nlattr.Next(attrs)
		switch kind {
		case CTATupleOrig:
			ok = f.Orig.decode(v) && ok
		case CTATupleReply:
			ok = f.Reply.decode(v) && ok
		case CTACountersOrig:
			ok = pair64(v, &f.Sent.Packets, &f.Sent.Octets) && ok
			f.Has |= HasCounters
		case CTACountersReply:
			ok = pair64(v, &f.Answered.Packets, &f.Answered.Octets) && ok
		case CTATimestamp:
			ok = pair64(v, &f.Start, &f.Stop) && ok
		case CTAProtoInfo:
			ok = f.protoInfo(v) && ok
		case CTAID:
			ok = number32(v, &f.ID) && ok
			f.Has |= HasID
		case CTAStatus:
			ok = number32(v, &f.Status) && ok
		case CTAMark:
			ok = number32(v, &f.Mark) && ok
		case CTATimeout:
			ok = number32(v, &f.Timeout) && ok
		case CTAZone:
			ok = number16(v, &f.Zone) && ok
		case CTATimestampEvent:
			ok = number64(v, &f.Stamp) && ok
		case CTALabels:
			n := copy(f.Labels[:], v)
			clear(f.Labels[n:])
			f.Has |= HasLabels
		case CTAHelp:
			f.Helper = name(v)
			f.Has |= HasHelper
		case CTASecCtx:
			f.SecCtx = name(v)
			f.Has |= HasSecCtx
		case CTATupleMaster:
			ok = f.Master.decode(v) && ok
			f.Has |= HasMaster
		case nlattr.Malformed:
			return false
		}
	}
	const complete = HasIP | HasProto
	return ok && f.Orig.Has&f.Reply.Has&complete == complete
}

func (t *Tuple) decode(b []byte) bool {
	return t.usual(b) || t.walk(b)
}

func (t *Tuple) walk(b []byte) bool {
	*t = Tuple{}
	ok := true
	for len(b) > 0 {
		var kind uint16
		var v []byte
		kind, v, b = nlattr.Next(b)
		switch kind {
		case CTATupleIP:
			ok = t.addresses(v) && ok
		case CTATupleProto:
			ok = t.protocol(v) && ok
		case CTATupleZone:
			ok = number16(v, &t.Zone) && ok
			t.Has |= HasZone
		case nlattr.Malformed:
			return false
		}
	}
	return ok
}

func (t *Tuple) addresses(b []byte) bool {
	seen := 0
	for len(b) > 0 {
		var kind uint16
		var v []byte
		kind, v, b = nlattr.Next(b)
		switch {
		case kind == CTAIPv4Src && len(v) == 4:
			t.Src = engine.AddrFrom4(v)
			seen |= 1
		case kind == CTAIPv4Dst && len(v) == 4:
			t.Dst = engine.AddrFrom4(v)
			seen |= 2
		case kind == CTAIPv6Src && len(v) == 16:
			t.Src = engine.AddrFrom16(v)
			seen |= 1
		case kind == CTAIPv6Dst && len(v) == 16:
			t.Dst = engine.AddrFrom16(v)
			seen |= 2
		case kind == nlattr.Malformed:
			return false
		}
	}
	t.Has |= HasIP
	return seen == 3
}

func (t *Tuple) protocol(b []byte) bool {
	ok := true
	for len(b) > 0 {
		var kind uint16
		var v []byte
		kind, v, b = nlattr.Next(b)
		switch kind {
		case CTAProtoNum:
			ok = number8(v, &t.Proto) && ok
			t.Has |= HasProto
		case CTAProtoSrcPort:
			ok = number16(v, &t.Sport) && ok
			t.Has |= HasPorts
		case CTAProtoDstPort:
			ok = number16(v, &t.Dport) && ok
		case CTAProtoICMPID, CTAProtoICMPv6ID:
			ok = number16(v, &t.Sport) && ok
		case CTAProtoICMPType, CTAProtoICMPv6Type:
			ok = number8(v, &t.ICMPType) && ok
			t.Has |= HasICMP
		case CTAProtoICMPCode, CTAProtoICMPv6Code:
			ok = number8(v, &t.ICMPCode) && ok
		case nlattr.Malformed:
			return false
		}
	}
	if t.Has&HasICMP != 0 {
		t.Dport = uint16(t.ICMPType)<<8 | uint16(t.ICMPCode)
	}
	return ok
}

// pair64 reads a nest of two 64-bit numbers, as counters and time stamps are; one that is not there is
// 0.
func pair64[T int64 | uint64](b []byte, x, y *T) bool {
	if len(b) == 24 && headerAt(b, 0) == shape64First && headerAt(b, 12) == shape64Second { // the usual shape
		*x, *y = T(binary.BigEndian.Uint64(b[4:])), T(binary.BigEndian.Uint64(b[16:]))
		return true
	}
	ok := true
	for len(b) > 0 {
		var kind uint16
		var v []byte
		kind, v, b = nlattr.Next(b)
		switch kind {
		case First64:
			ok = number64(v, x) && ok
		case Second64:
			ok = number64(v, y) && ok
		case nlattr.Malformed:
			return false
		}
	}
	return ok
}

// protoInfo reads the state of TCP and of SCTP.
func (f *Flow) protoInfo(b []byte) bool {
	ok := true
	for len(b) > 0 {
		var kind uint16
		var v []byte
		kind, v, b = nlattr.Next(b)
		if kind == nlattr.Malformed {
			return false
		}
		for (kind == CTAProtoInfoTCP || kind == CTAProtoInfoSCTP) && len(v) > 0 {
			var inner uint16
			var state []byte
			inner, state, v = nlattr.Next(v)
			if inner == nlattr.Malformed {
				return false
			}
			switch {
			case inner != CTAProtoInfoState:
			case kind == CTAProtoInfoSCTP:
				ok = number8(state, &f.SCTPState) && ok
			default:
				ok = number8(state, &f.TCPState) && ok
				f.Has |= HasTCP
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
		if kind == CTAName {
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
