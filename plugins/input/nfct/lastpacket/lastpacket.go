// When a connection's last packet came. The kernel tells when an entry ends, which is as long after
// its last packet as the timeout that then began to run; an entry that was deleted also tells what
// was left of it.

package lastpacket

import (
	"golang.org/x/sys/unix"

	"ulogd/engine/key"
	"ulogd/plugins/input/nfct/ctnetlink"
)

// timeoutSet are what the kernel's entries live after a packet, in nanoseconds; 0 is not known.
type timeoutSet struct {
	tcp                           [key.TCPStates]int64 // by state
	sctp                          [9]int64             // by state
	tcpUnacknowledged, tcpRetrans int64
	udp, udpStream                int64
	icmp, icmp6                   int64
	gre, greStream                int64
	generic                       int64
}

// sysctls says where the kernel keeps each timeout.
func (t *timeoutSet) sysctls() map[string]*int64 {
	return map[string]*int64{
		"tcp_timeout_syn_sent": &t.tcp[key.TCPSynSent], "tcp_timeout_syn_recv": &t.tcp[key.TCPSynRecv], "tcp_timeout_established": &t.tcp[key.TCPEstablished],
		"tcp_timeout_fin_wait": &t.tcp[key.TCPFinWait], "tcp_timeout_close_wait": &t.tcp[key.TCPCloseWait], "tcp_timeout_last_ack": &t.tcp[key.TCPLastAck],
		"tcp_timeout_time_wait": &t.tcp[key.TCPTimeWait], "tcp_timeout_close": &t.tcp[key.TCPClose],
		"tcp_timeout_unacknowledged": &t.tcpUnacknowledged, "tcp_timeout_max_retrans": &t.tcpRetrans,
		"sctp_timeout_closed": &t.sctp[1], "sctp_timeout_cookie_wait": &t.sctp[2], "sctp_timeout_cookie_echoed": &t.sctp[3],
		"sctp_timeout_established": &t.sctp[4], "sctp_timeout_shutdown_sent": &t.sctp[5],
		"sctp_timeout_shutdown_recd": &t.sctp[6], "sctp_timeout_shutdown_ack_sent": &t.sctp[7],
		"sctp_timeout_heartbeat_sent": &t.sctp[8],
		"udp_timeout":                 &t.udp, "udp_timeout_stream": &t.udpStream,
		"icmp_timeout": &t.icmp, "icmpv6_timeout": &t.icmp6,
		"gre_timeout": &t.gre, "gre_timeout_stream": &t.greStream,
		"generic_timeout": &t.generic,
	}
}

// of returns the timeouts that may run after a packet of the connection, the one of its state
// first; 0: none.
func (t *timeoutSet) of(f *ctnetlink.Flow) (list [3]int64) {
	assured := f.Status&ctnetlink.StatusAssured != 0
	either := func(plain, stream int64) int64 {
		if assured {
			return stream
		}
		return plain
	}
	switch f.Orig.Proto {
	case unix.IPPROTO_TCP:
		if f.Has&ctnetlink.HasTCP == 0 || int(f.TCPState) >= len(t.tcp) {
			return list
		}
		own := t.tcp[f.TCPState]
		if f.TCPState == key.TCPSynSent2 {
			own = 120 * Second // no setting changes it
		}
		list[0] = own
		// The kernel takes these only where they are shorter: data that nobody acknowledged, and
		// packets that were sent again and again.
		for i, other := range [2]int64{t.tcpUnacknowledged, t.tcpRetrans} {
			if other < own {
				list[i+1] = other
			}
		}
	case unix.IPPROTO_SCTP:
		if int(f.SCTPState) < len(t.sctp) {
			list[0] = t.sctp[f.SCTPState]
		}
	case unix.IPPROTO_UDP, unix.IPPROTO_UDPLITE:
		list[0] = either(t.udp, t.udpStream)
	case unix.IPPROTO_GRE:
		list[0] = either(t.gre, t.greStream)
	case unix.IPPROTO_ICMP:
		list[0] = t.icmp
	case unix.IPPROTO_ICMPV6:
		list[0] = t.icmp6
	case unix.IPPROTO_DCCP: // had timeouts of its own, until Linux 6.16
	default:
		list[0] = t.generic
	}
	return list
}

const Second = 1_000_000_000

// Slack is how far a packet may seem to be before what is known to have been before it: remaining
// times are told in whole seconds, and the kernel dates an entry when its first packet has passed.
const Slack = 3 * Second / 2

// Lifetimes are the timeouts of a namespace, the newest last. Entries whose last packet came before
// they were changed live by the old ones.
type Lifetimes []era

// era is timeouts and since when they hold, in nanoseconds since 1970.
type era struct {
	timeoutSet
	from int64
}

// mostEras bounds what is remembered of somebody who changes them all the time.
const mostEras = 8

// change notes the timeouts that hold from now on.
func (l Lifetimes) change(t timeoutSet, now int64) Lifetimes {
	if len(l) == mostEras {
		l = l[:copy(l, l[1:])]
	}
	return append(l, era{t, now})
}

// Last returns when the last packet of a connection came whose entry had f.timeout seconds left at
// the time at, or ended then where that is 0. It is not before since, when something of the
// connection was seen. It is not known where no timeout of the kernel's fits: those of an object
// (nft ct timeout), of a flow table, or set by hand.
func (l Lifetimes) Last(f *ctnetlink.Flow, at, since int64) (when int64, known bool) {
	if f.Status&(ctnetlink.StatusOffload|ctnetlink.StatusFixedTimeout) != 0 {
		return 0, false
	}
	left := int64(f.Timeout) * Second
	var from int64
	to := at
	for i := len(l) - 1; i >= 0; i-- {
		from = 0 // nobody knows since when the first ones hold
		if i > 0 {
			from = l[i].from - Slack
		}
		for _, timeout := range l[i].of(f) {
			w := at - timeout + left
			if timeout != 0 && left <= timeout && w >= since-Slack && w >= from && w <= to && (!known || w < when) {
				when, known = w, true
			}
		}
		to = l[i].from + Slack
	}
	return min(max(when, since), at), known
}
