// Conntrack entries without traffic, as many and as fast as the kernel takes them: over netlink,
// hundreds in each system call, with one acknowledgement for all of them.

package nstest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// Names and numbers are those of linux/netfilter/nfnetlink_conntrack.h, nf_conntrack_common.h and
// netlink.h.
const (
	ipctnlMsgCtNew    = unix.NFNL_SUBSYS_CTNETLINK << 8 // message 0 of the subsystem
	ipctnlMsgCtDelete = ipctnlMsgCtNew | 2

	ctaTupleOrig, ctaTupleReply, ctaStatus, ctaTimeout = 1, 2, 3, 7
	ctaTupleIP, ctaTupleProto                          = 1, 2
	ctaIPv4Src, ctaIPv4Dst                             = 1, 2
	ctaProtoNum, ctaProtoSrcPort, ctaProtoDstPort      = 1, 2, 3

	ipsSeenReply, ipsAssured, ipsConfirmed = 1 << 1, 1 << 2, 1 << 3
)

const (
	fillBatch   = 64 << 10 // octets in a system call; the default send buffer takes 208 KiB
	fillTimeout = 600      // seconds that an entry lives
)

// FillConntrack makes n conntrack entries: UDP from 10.0.0.1, 10.0.0.2 and so on, port 1024, to
// 10.255.255.255 port 53, confirmed and assured, to live for ten minutes. A second call continues
// with the next addresses. Counters are zero; the start time is set if nf_conntrack_timestamp is.
// See ConntrackMax for large n.
func FillConntrack(t testing.TB, ns *NS, n int) {
	t.Helper()
	if int(ns.filled)+n >= 1<<24-1 {
		t.Fatalf("FillConntrack: %d entries and %d more exceed 10.0.0.0/8", ns.filled, n)
	}
	ns.Do(t, func() {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
		if err != nil {
			t.Fatalf("open a conntrack socket: %v", err)
		}
		defer unix.Close(fd)
		buf := make([]byte, 0, fillBatch+256)
		for last := ns.filled + uint32(n); ns.filled < last; buf = buf[:0] {
			var start int
			for ; len(buf) < fillBatch && ns.filled < last; ns.filled++ {
				start = len(buf)
				buf = appendEntry(buf, ns.filled+1)
			}
			binary.NativeEndian.PutUint16(buf[start+6:], unix.NLM_F_REQUEST|unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
			if err := exchange(fd, buf, ns.filled); err != nil {
				t.Fatalf("make conntrack entry %v (a full table needs ConntrackMax first)", err)
			}
		}
	})
}

// exchange sends the messages and reads replies until the one to message seq, the only one that
// asks for it; an error is reported for any message.
func exchange(fd int, messages []byte, seq uint32) error {
	if err := unix.Sendto(fd, messages, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("%d: send: %w", seq, err)
	}
	var reply [4096]byte
	for {
		n, _, err := unix.Recvfrom(fd, reply[:], 0)
		if err != nil {
			return fmt.Errorf("%d: receive: %w", seq, err)
		}
		if n < unix.NLMSG_HDRLEN+4 || binary.NativeEndian.Uint16(reply[4:]) != unix.NLMSG_ERROR {
			return errors.New("with an answer that is neither acknowledgement nor error")
		}
		answered := binary.NativeEndian.Uint32(reply[8:])
		if errno := int32(binary.NativeEndian.Uint32(reply[unix.NLMSG_HDRLEN:])); errno != 0 {
			return fmt.Errorf("%d: %w", answered, unix.Errno(-errno))
		}
		if answered == seq {
			return nil
		}
	}
}

// AppendDelete appends the netlink message that deletes the i-th entry that FillConntrack has made,
// counted from 1, whose source address is 10.0.0.0 and i. The kernel answers only where it cannot.
func AppendDelete(b []byte, i uint32) []byte {
	start := len(b)
	b = binary.NativeEndian.AppendUint32(b, 0) // length, known at the end
	b = binary.NativeEndian.AppendUint16(b, ipctnlMsgCtDelete)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST)
	b = binary.NativeEndian.AppendUint32(b, i)
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = append(b, unix.AF_INET, unix.NFNETLINK_V0, 0, 0)
	b = appendTuple(b, ctaTupleOrig, 10<<24+i, 10<<24+1<<24-1, 1024, 53)
	binary.NativeEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}

// appendEntry appends the netlink message that creates entry i, which is also its sequence number.
// The header is in native byte order, everything behind it in network byte order.
func appendEntry(b []byte, i uint32) []byte {
	start := len(b)
	source, destination := 10<<24+i, uint32(10<<24+1<<24-1)
	b = binary.NativeEndian.AppendUint32(b, 0) // length, known at the end
	b = binary.NativeEndian.AppendUint16(b, ipctnlMsgCtNew)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	b = binary.NativeEndian.AppendUint32(b, i)
	b = binary.NativeEndian.AppendUint32(b, 0)           // port id: the socket's
	b = append(b, unix.AF_INET, unix.NFNETLINK_V0, 0, 0) // nfgenmsg: family, version, resource
	b = appendTuple(b, ctaTupleOrig, source, destination, 1024, 53)
	b = appendTuple(b, ctaTupleReply, destination, source, 53, 1024)
	// The kernel takes a status only if it says what is so of every entry made this way:
	// IPS_CONFIRMED.
	b = appendAttr32(b, ctaStatus, ipsConfirmed|ipsAssured|ipsSeenReply)
	b = appendAttr32(b, ctaTimeout, fillTimeout)
	binary.NativeEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}

func appendTuple(b []byte, kind uint16, source, destination uint32, sourcePort, destinationPort uint16) []byte {
	return appendNest(b, kind, func(b []byte) []byte {
		b = appendNest(b, ctaTupleIP, func(b []byte) []byte {
			b = appendAttr32(b, ctaIPv4Src, source)
			return appendAttr32(b, ctaIPv4Dst, destination)
		})
		return appendNest(b, ctaTupleProto, func(b []byte) []byte {
			b = append(appendAttr(b, ctaProtoNum, 1), unix.IPPROTO_UDP, 0, 0, 0)
			b = append(binary.BigEndian.AppendUint16(appendAttr(b, ctaProtoSrcPort, 2), sourcePort), 0, 0)
			return append(binary.BigEndian.AppendUint16(appendAttr(b, ctaProtoDstPort, 2), destinationPort), 0, 0)
		})
	})
}

func appendNest(b []byte, kind uint16, content func([]byte) []byte) []byte {
	start := len(b)
	b = content(appendAttr(b, kind|unix.NLA_F_NESTED, 0))
	binary.NativeEndian.PutUint16(b[start:], uint16(len(b)-start))
	return b
}

func appendAttr32(b []byte, kind uint16, value uint32) []byte {
	return binary.BigEndian.AppendUint32(appendAttr(b, kind, 4), value)
}

// appendAttr appends the header of an attribute. The caller appends the value and pads it to four
// octets.
func appendAttr(b []byte, kind, size uint16) []byte {
	b = binary.NativeEndian.AppendUint16(b, unix.NLA_HDRLEN+size)
	return binary.NativeEndian.AppendUint16(b, kind)
}
