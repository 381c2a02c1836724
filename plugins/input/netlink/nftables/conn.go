// Package nftables reads what nf_tables of the kernel holds, over netlink (linux/netfilter/nf_tables.h):
// named counters, sets and maps with the counters of their elements, and which NFLOG groups rules log to.
// It changes nothing but what it is asked to set to zero.
//
// github.com/google/nftables does the like, but forgets the key type of verdict maps, refuses all sets of
// a table for one that it does not know, leaves out elements without a key, and cannot set elements to
// zero.
package nftables

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ulogd/plugins/input/netlink/nlattr"
)

// Conn is a socket that questions are asked by. It is used from one goroutine at a time.
type Conn struct{ nl *netlink.Conn }

// Dial opens a socket in the network namespace that it is called in.
func Dial() (*Conn, error) {
	nl, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("open an nftables socket: %w", err)
	}
	return &Conn{nl}, nil
}

// Close closes the socket.
func (c *Conn) Close() error { return c.nl.Close() }

const (
	msgNewRule      = unix.NFT_MSG_NEWRULE
	msgNewSet       = unix.NFT_MSG_NEWSET
	msgNewElements  = unix.NFT_MSG_NEWSETELEM
	msgNewObject    = unix.NFT_MSG_NEWOBJ
	msgZeroElements = 33 // NFT_MSG_GETSETELEM_RESET, since Linux 6.5
)

// tries is how often a list is asked for that was changed while it was told.
const tries = 5

// errChanging is a list that was changed each time.
var errChanging = errors.New("the rules are being changed all the time")

// ask sends a question and returns the bodies, behind struct nfgenmsg, of the answers that have a type.
func (c *Conn) ask(question, answer uint16, family uint8, flags netlink.HeaderFlags, attrs []byte) ([]body, error) {
	m := netlink.Message{
		Header: netlink.Header{
			Type: netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | question), Flags: netlink.Request | flags,
		},
		Data: append([]byte{family, unix.NFNETLINK_V0, 0, 0}, attrs...),
	}
	for range tries {
		replies, err := c.nl.Execute(m)
		if errors.Is(err, unix.EINTR) { // nf_tables' own way to say it
			continue
		}
		if err != nil {
			return nil, err
		}
		list, whole := bodies(replies, answer)
		// What has been set to zero is not told again.
		if whole || question == unix.NFT_MSG_GETOBJ_RESET || question == msgZeroElements {
			return list, nil
		}
	}
	return nil, errChanging
}

// A body is one answer.
type body struct {
	family uint8
	attrs  []byte
}

func bodies(replies []netlink.Message, answer uint16) (list []body, whole bool) {
	whole = true
	for _, r := range replies {
		if r.Header.Flags&netlink.DumpInterrupted != 0 {
			whole = false
		}
		if r.Header.Type == netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8|answer) && len(r.Data) >= 4 {
			list = append(list, body{r.Data[0], r.Data[4:]})
		}
	}
	return list, whole
}

// each walks attributes and reports whether they were whole. What nest does not want it ignores.
func each(attrs []byte, visit func(kind uint16, v []byte)) bool {
	for len(attrs) > 0 {
		kind, v, rest := nlattr.Next(attrs)
		if kind == nlattr.Malformed {
			return false
		}
		visit(kind, v)
		attrs = rest
	}
	return true
}

// number reads an unsigned number of network order, of any length up to 8.
func number(v []byte) (n uint64) {
	if len(v) > 8 {
		return 0
	}
	for _, b := range v {
		n = n<<8 | uint64(b)
	}
	return n
}

// word is a string as the kernel ends it.
func word(v []byte) string {
	for i, b := range v {
		if b == 0 {
			return string(v[:i])
		}
	}
	return string(v)
}

func appendWord(b []byte, kind uint16, s string) []byte {
	return nlattr.Append(b, kind, append([]byte(s), 0))
}

func append32(b []byte, kind uint16, n uint32) []byte {
	return nlattr.Append(b, kind, binary.BigEndian.AppendUint32(nil, n))
}

// families in nft's words.
var families = map[uint8]string{
	unix.NFPROTO_INET: "inet", unix.NFPROTO_IPV4: "ip", unix.NFPROTO_IPV6: "ip6", unix.NFPROTO_ARP: "arp",
	unix.NFPROTO_BRIDGE: "bridge", unix.NFPROTO_NETDEV: "netdev",
}

// FamilyNames are the names of families.
var FamilyNames = []string{"inet", "ip", "ip6", "arp", "bridge", "netdev"}

// FamilyName returns a family's name.
func FamilyName(family uint8) string {
	if name, ok := families[family]; ok {
		return name
	}
	return fmt.Sprint(family)
}
