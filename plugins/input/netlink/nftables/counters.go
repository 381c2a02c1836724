// Named counters.

package nftables

import (
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A Counter is a named counter.
type Counter struct {
	Family          uint8
	Table, Name     string
	Packets, Octets uint64
}

// Counters returns all named counters, and how many answers described none. It sets nothing to zero.
func (c *Conn) Counters() (list []Counter, malformed int, err error) {
	answers, err := c.ask(unix.NFT_MSG_GETOBJ, msgNewObject, unix.AF_UNSPEC, netlink.Dump,
		append32(nil, unix.NFTA_OBJ_TYPE, unix.NFT_OBJECT_COUNTER))
	list, malformed = countersOf(answers)
	return list, malformed, err
}

// Zero returns what a counter counted, and sets it to zero, in one step. ok is false where it is gone.
func (c *Conn) Zero(k Counter) (now Counter, ok bool, err error) {
	attrs := appendWord(nil, unix.NFTA_OBJ_TABLE, k.Table)
	attrs = appendWord(attrs, unix.NFTA_OBJ_NAME, k.Name)
	attrs = append32(attrs, unix.NFTA_OBJ_TYPE, unix.NFT_OBJECT_COUNTER)
	answers, err := c.ask(unix.NFT_MSG_GETOBJ_RESET, msgNewObject, k.Family, 0, attrs)
	if gone(err) {
		return k, false, nil
	}
	list, _ := countersOf(answers)
	if err != nil || len(list) == 0 {
		return k, false, err
	}
	return list[0], true, nil
}

func countersOf(answers []body) (list []Counter, malformed int) {
	for _, a := range answers {
		k := Counter{Family: a.family}
		kind, counted := uint64(unix.NFT_OBJECT_COUNTER), false
		whole := each(a.attrs, func(attr uint16, v []byte) {
			switch attr {
			case unix.NFTA_OBJ_TABLE:
				k.Table = word(v)
			case unix.NFTA_OBJ_NAME:
				k.Name = word(v)
			case unix.NFTA_OBJ_TYPE:
				kind = number(v)
			case unix.NFTA_OBJ_DATA:
				k.Packets, k.Octets, counted = counts(v)
			}
		})
		switch {
		case whole && kind != unix.NFT_OBJECT_COUNTER: // a kernel that does not heed the type asked for
		case !whole || !counted || k.Name == "" || k.Table == "":
			malformed++
		default:
			list = append(list, k)
		}
	}
	return list, malformed
}

// counts reads a counter's content.
func counts(attrs []byte) (packets, octets uint64, ok bool) {
	seen := 0
	ok = each(attrs, func(kind uint16, v []byte) {
		switch {
		case kind == unix.NFTA_COUNTER_PACKETS && len(v) == 8:
			packets, seen = number(v), seen|1
		case kind == unix.NFTA_COUNTER_BYTES && len(v) == 8:
			octets, seen = number(v), seen|2
		}
	})
	return packets, octets, ok && seen == 3
}
