// Package ipproto has the numbers of IP protocols (IANA), and their names as the protocols database
// has them: a configuration must mean the same where that file is missing.
package ipproto

import (
	"fmt"
	"strconv"
	"strings"
)

// Numbers of protocols that are treated by name.
const (
	ICMP     = 1
	IPIP     = 4
	TCP      = 6
	UDP      = 17
	DCCP     = 33
	IPv6     = 41
	GRE      = 47
	ESP      = 50
	AH       = 51
	ICMPv6   = 58
	None     = 59 // IPv6: nothing follows
	EtherIP  = 97
	L2TP     = 115
	SCTP     = 132
	UDPLite  = 136
	MPLS     = 137
	Ethernet = 143 // a frame, in IPv6's segment routing
)

var numbers = map[string]uint8{
	"icmp": ICMP, "igmp": 2, "ggp": 3, "ipencap": IPIP, "ipv4": IPIP, "st": 5, "tcp": TCP, "egp": 8, "igp": 9, "pup": 12,
	"udp": UDP, "hmp": 20, "xns-idp": 22, "rdp": 27, "iso-tp4": 29, "dccp": DCCP, "xtp": 36, "ddp": 37, "idpr-cmtp": 38,
	"ipv6": IPv6, "ipv6-route": 43, "ipv6-frag": 44, "idrp": 45, "rsvp": 46, "gre": GRE, "esp": ESP, "ah": AH, "skip": 57,
	"ipv6-icmp": ICMPv6, "icmpv6": ICMPv6, "icmp6": ICMPv6, "ipv6-nonxt": None, "ipv6-opts": 60, "rspf": 73, "vmtp": 81,
	"eigrp": 88, "ospf": 89, "ax.25": 93, "ipip": 94, "etherip": EtherIP, "encap": 98, "pim": 103,
	"ipcomp": 108, "vrrp": 112,
	"l2tp": L2TP, "isis": 124, "sctp": SCTP, "fc": 133, "mobility-header": 135, "udplite": UDPLite, "mpls-in-ip": MPLS,
	"manet": 138, "hip": 139, "shim6": 140, "wesp": 141, "rohc": 142,
}

// Number returns the protocol that a name or a number means.
func Number(name string) (uint8, error) {
	if n, ok := numbers[strings.ToLower(name)]; ok {
		return n, nil
	}
	n, err := strconv.ParseUint(name, 0, 8)
	if err != nil {
		return 0, fmt.Errorf("unknown protocol %q; give a name such as tcp, or a number up to 255", name)
	}
	return uint8(n), nil
}

// Name returns the usual name of a protocol in lower case, "" if it has none here.
func Name(number uint8) string { return names[number] }

var names = func() (list [256]string) {
	for name, n := range numbers {
		if old := list[n]; old == "" || len(name) < len(old) || len(name) == len(old) && name < old {
			list[n] = name
		}
	}
	list[ICMPv6] = "icmpv6" // beside icmp6, which nobody writes
	return list
}()
