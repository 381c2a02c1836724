// Asking the kernel, and its answer (linux/netfilter/nfnetlink_acct.h). Numbers are in network byte
// order.

package nfacct

import (
	"bytes"
	"encoding/binary"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ulogd/plugins/input/counters"
	"ulogd/plugins/input/netlink/nlattr"
)

const (
	msgNew     = unix.NFNL_SUBSYS_ACCT << 8
	msgGet     = unix.NFNL_SUBSYS_ACCT<<8 | 1
	msgGetZero = unix.NFNL_SUBSYS_ACCT<<8 | 2

	attrName    = 1
	attrPackets = 2
	attrOctets  = 3
	attrFlags   = 5
	attrQuota   = 6

	nfgenLen = 4  // struct nfgenmsg
	mostName = 32 // NFACCT_NAME_MAX
)

type reader struct{ *netlink.Conn }

// Read implements counters.Reader.
func (r reader) Read(zero bool) (list []counters.Counter, malformed int, err error) {
	typ := netlink.HeaderType(msgGet)
	if zero {
		typ = msgGetZero
	}
	messages, err := r.Execute(netlink.Message{
		Header: netlink.Header{Type: typ, Flags: netlink.Request | netlink.Dump},
		Data:   []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, 0},
	})
	for _, m := range messages {
		k, ok := decode(m.Data)
		if m.Header.Type != msgNew || !ok {
			malformed++
			continue
		}
		list = append(list, k)
	}
	return list, malformed, err
}

// decode reads a message's body and reports whether it describes a counter.
func decode(body []byte) (k counters.Counter, ok bool) {
	if len(body) < nfgenLen {
		return k, false
	}
	seen := 0
	for attrs := body[nfgenLen:]; len(attrs) > 0; {
		var kind uint16
		var v []byte
		kind, v, attrs = nlattr.Next(attrs)
		switch {
		case kind == nlattr.Malformed:
			return k, false
		case kind == attrName:
			name, _, _ := bytes.Cut(v, []byte{0})
			k.Name = string(name)
			seen |= 1
		case kind == attrPackets && len(v) == 8:
			k.Packets = binary.BigEndian.Uint64(v)
			seen |= 2
		case kind == attrOctets && len(v) == 8:
			k.Octets = binary.BigEndian.Uint64(v)
			seen |= 4
		case kind == attrQuota && len(v) == 8:
			k.Quota, k.Limited = binary.BigEndian.Uint64(v), true
		case kind == attrFlags && len(v) == 4:
			k.Flags = binary.BigEndian.Uint32(v)
		}
	}
	return k, seen == 7 && len(k.Name) <= mostName
}
