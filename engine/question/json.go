// Flows as JSON objects: what the control socket carries and `ulogd flows --json` prints.

package question

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
)

// AppendJSON appends the flow as an object on one line. What is not known has no member.
func (f *Flow) AppendJSON(b []byte) []byte {
	b = append(b, `{"id":`...)
	b = appendString(b, f.Instance)
	b = appendUint(b, "proto", uint64(f.Proto))
	b = appendSide(b, "", f.Src, f.Dst)
	if f.Has(Ports) {
		b = appendUint(b, "sport", uint64(f.Sport))
		b = appendUint(b, "dport", uint64(f.Dport))
	}
	if f.Has(ICMP) {
		b = appendUint(b, "icmp_type", uint64(f.ICMPType))
		b = appendUint(b, "icmp_code", uint64(f.ICMPCode))
	}
	if f.Has(Counters) {
		b = appendUint(b, "packets", f.Packets)
		b = appendUint(b, "octets", f.Octets)
	}
	if f.Has(ReplyTuple) {
		b = appendSide(b, "reply_", f.ReplySrc, f.ReplyDst)
		if f.Has(Ports) {
			b = appendUint(b, "reply_sport", uint64(f.ReplySport))
			b = appendUint(b, "reply_dport", uint64(f.ReplyDport))
		}
	}
	if f.Has(ReplyCounters) {
		b = appendUint(b, "reply_packets", f.ReplyPackets)
		b = appendUint(b, "reply_octets", f.ReplyOctets)
	}
	if f.Has(Counters) && f.Counted != 0 {
		b = appendTime(append(b, `,"counted":`...), f.Counted)
	}
	if f.Has(Start) {
		b = appendTime(append(b, `,"start":`...), f.Start)
	}
	if f.Has(Last) {
		b = appendTime(append(b, `,"last":`...), f.Last)
	}
	if f.Has(State) {
		b = append(append(append(b, `,"state":"`...), StateName(f.State)...), '"')
	}
	for _, v := range []struct {
		known Known
		name  string
		value uint64
	}{
		{Timeout, "timeout", uint64(f.Timeout)},
		{Flags, "tcp_flags", uint64(f.Flags)},
		{In, "in", uint64(f.In)},
		{Out, "out", uint64(f.Out)},
		{Status, "status", uint64(f.Status)},
		{Mark, "mark", uint64(f.Mark)},
		{ID, "ct_id", uint64(f.ID)},
		{Zone, "zone", uint64(f.Zone)},
	} {
		if f.Has(v.known) {
			b = appendUint(b, v.name, v.value)
		}
	}
	return append(b, '}')
}

func appendUint(b []byte, name string, v uint64) []byte {
	return strconv.AppendUint(append(append(append(b, `,"`...), name...), `":`...), v, 10)
}

func appendSide(b []byte, prefix string, src, dst netip.Addr) []byte {
	b = src.AppendTo(append(append(append(b, `,"`...), prefix...), `src":"`...))
	return append(dst.AppendTo(append(append(append(b, `","`...), prefix...), `dst":"`...)), '"')
}

// appendString appends text that may be anything, such as an id of the configuration.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // of a string there is no error
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// wire is a flow as JSON has it.
type wire struct {
	ID           string      `json:"id"`
	Proto        uint8       `json:"proto"`
	Src          netip.Addr  `json:"src"`
	Dst          netip.Addr  `json:"dst"`
	Sport        *uint16     `json:"sport"`
	Dport        uint16      `json:"dport"`
	ICMPType     *uint8      `json:"icmp_type"`
	ICMPCode     uint8       `json:"icmp_code"`
	Packets      *uint64     `json:"packets"`
	Octets       uint64      `json:"octets"`
	ReplySrc     *netip.Addr `json:"reply_src"`
	ReplyDst     netip.Addr  `json:"reply_dst"`
	ReplySport   uint16      `json:"reply_sport"`
	ReplyDport   uint16      `json:"reply_dport"`
	ReplyPackets *uint64     `json:"reply_packets"`
	ReplyOctets  uint64      `json:"reply_octets"`
	Counted      *time.Time  `json:"counted"`
	Start        *time.Time  `json:"start"`
	Last         *time.Time  `json:"last"`
	Timeout      *uint32     `json:"timeout"`
	State        *string     `json:"state"`
	Flags        *uint16     `json:"tcp_flags"`
	In           *uint32     `json:"in"`
	Out          *uint32     `json:"out"`
	Status       *uint32     `json:"status"`
	Mark         *uint32     `json:"mark"`
	CTID         *uint32     `json:"ct_id"`
	Zone         *uint16     `json:"zone"`
}

// UnmarshalJSON reads what AppendJSON wrote.
func (f *Flow) UnmarshalJSON(line []byte) error {
	var w wire
	if err := json.Unmarshal(line, &w); err != nil {
		return fmt.Errorf("a flow: %w", err)
	}
	*f = Flow{
		Instance: w.ID, Proto: w.Proto, Src: w.Src, Dst: w.Dst, Dport: w.Dport, ICMPCode: w.ICMPCode, Octets: w.Octets,
		ReplyDst: w.ReplyDst, ReplySport: w.ReplySport, ReplyDport: w.ReplyDport, ReplyOctets: w.ReplyOctets,
	}
	take(f, Ports, &f.Sport, w.Sport)
	take(f, ICMP, &f.ICMPType, w.ICMPType)
	take(f, Counters, &f.Packets, w.Packets)
	take(f, ReplyTuple, &f.ReplySrc, w.ReplySrc)
	take(f, ReplyCounters, &f.ReplyPackets, w.ReplyPackets)
	take(f, Timeout, &f.Timeout, w.Timeout)
	take(f, Flags, &f.Flags, w.Flags)
	take(f, In, &f.In, w.In)
	take(f, Out, &f.Out, w.Out)
	take(f, Status, &f.Status, w.Status)
	take(f, Mark, &f.Mark, w.Mark)
	take(f, ID, &f.ID, w.CTID)
	take(f, Zone, &f.Zone, w.Zone)
	if w.Counted != nil {
		f.Counted = engine.Time(w.Counted.UnixNano())
	}
	if w.Start != nil {
		f.Start, f.Known = engine.Time(w.Start.UnixNano()), f.Known|Start
	}
	if w.Last != nil {
		f.Last, f.Known = engine.Time(w.Last.UnixNano()), f.Known|Last
	}
	if w.State != nil {
		f.Known |= State
		for i, name := range key.TCPStateNames {
			if name == *w.State {
				f.State = uint8(i)
			}
		}
	}
	return nil
}

func take[T any](f *Flow, k Known, to, from *T) {
	if from != nil {
		*to = *from
		f.Known |= k
	}
}
