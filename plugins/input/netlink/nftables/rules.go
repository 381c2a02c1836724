// What rules log.

package nftables

import (
	"encoding/binary"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// LogGroups returns the NFLOG groups that rules log to, in their order: of nft's statement log group N,
// and of the target NFLOG as iptables-nft writes it. Rules of iptables-legacy are not nf_tables'.
func (c *Conn) LogGroups() (list []uint16, err error) {
	answers, err := c.ask(unix.NFT_MSG_GETRULE, msgNewRule, unix.AF_UNSPEC, netlink.Dump, nil)
	for _, a := range answers {
		each(a.attrs, func(kind uint16, v []byte) {
			if kind == unix.NFTA_RULE_EXPRESSIONS {
				each(v, func(_ uint16, v []byte) {
					if group, ok := logGroup(expression(v)); ok {
						list = append(list, group)
					}
				})
			}
		})
	}
	slices.Sort(list)
	return slices.Compact(list), err
}

// logGroup returns the group that an expression logs to.
func logGroup(name string, data []byte) (group uint16, ok bool) {
	target := ""
	each(data, func(kind uint16, v []byte) {
		switch {
		case name == "log" && kind == unix.NFTA_LOG_GROUP && len(v) == 2:
			group, ok = binary.BigEndian.Uint16(v), true
		case name == "target" && kind == unix.NFTA_TARGET_NAME:
			target = word(v)
		case name == "target" && kind == unix.NFTA_TARGET_INFO && len(v) >= 6 && target == "NFLOG":
			group, ok = binary.NativeEndian.Uint16(v[4:]), true // struct xt_nflog_info: length, group ...
		}
	})
	return group, ok
}
