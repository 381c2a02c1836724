// One poll: asking the kernel and reading its answer (linux/netfilter/nfnetlink_acct.h). Numbers
// are in network byte order.

package nfacct

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ulogd/engine"
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

// poll asks for all counters. Polls keep to their interval; those whose time passed meanwhile are
// left out.
func (n *nfacct) poll(now time.Time) {
	for n.due = n.due.Add(n.pollInterval); !n.due.After(now); n.due = n.due.Add(n.pollInterval) {
		n.overs.Add(1)
	}
	typ := netlink.HeaderType(msgGet)
	if n.zero {
		typ = msgGetZero
	}
	messages, err := n.conn.Execute(request(typ))
	if err != nil {
		n.failed.Add(1)
		n.env.Limited().Error("read the counters", "error", err, "remedy", "run with CAP_NET_ADMIN, on a kernel with CONFIG_NETFILTER_NETLINK_ACCT")
		return
	}
	n.pending, n.polled = messages, now
}

// request asks for all counters.
func request(typ netlink.HeaderType) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: typ, Flags: netlink.Request | netlink.Dump},
		Data:   []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, 0},
	}
}

// fill turns counters into rows.
func (n *nfacct) fill(b *engine.Batch) {
	c, have := &n.columns, b.Have()
	block := n.blocks.Get()
	defer block.Release()
	b.SetData(block)
	rows, bad := 0, 0
	for rows < engine.BatchSize && len(n.pending) > 0 {
		m := n.pending[0]
		n.pending = n.pending[1:]
		var k counter
		if m.Header.Type != msgNew || !k.decode(m.Data) {
			bad++
			continue
		}
		r := engine.Row(rows)
		at := rows * mostName
		c.name.Of(b)[r] = engine.String{Off: uint32(at), Len: uint32(copy(block.Data[at:], k.name))}
		c.packets.Of(b)[r], c.octets.Of(b)[r] = k.packets, k.octets
		c.quota.Of(b)[r], c.flags.Of(b)[r] = k.quota, k.flags
		c.oobTime.Of(b)[r] = engine.Time(n.polled.UnixNano())
		have[r] = c.all.Mask()
		if n.timestamp {
			have[r] |= c.time.Mask()
		}
		if k.limited {
			have[r] |= c.quotas.Mask()
		}
		rows++
	}
	b.Fill(rows)
	if bad > 0 {
		n.malformed.Rows(b, bad)
	}
}

// counter is one named counter.
type counter struct {
	name            []byte
	packets, octets uint64
	quota           uint64
	flags           uint32
	limited         bool // it has a quota
}

// decode reads a message's body and reports whether it describes a counter.
func (k *counter) decode(body []byte) bool {
	if len(body) < nfgenLen {
		return false
	}
	seen := 0
	for attrs := body[nfgenLen:]; len(attrs) > 0; {
		var kind uint16
		var v []byte
		kind, v, attrs = nlattr.Next(attrs)
		switch {
		case kind == nlattr.Malformed:
			return false
		case kind == attrName:
			k.name, _, _ = bytes.Cut(v, []byte{0})
			seen |= 1
		case kind == attrPackets && len(v) == 8:
			k.packets = binary.BigEndian.Uint64(v)
			seen |= 2
		case kind == attrOctets && len(v) == 8:
			k.octets = binary.BigEndian.Uint64(v)
			seen |= 4
		case kind == attrQuota && len(v) == 8:
			k.quota, k.limited = binary.BigEndian.Uint64(v), true
		case kind == attrFlags && len(v) == 4:
			k.flags = binary.BigEndian.Uint32(v)
		}
	}
	return seen == 7 && len(k.name) <= mostName
}
