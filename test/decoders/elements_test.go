package decoders

import (
	"fmt"
	"net"
	"slices"
	"strconv"
)

// A kind is how the value of an element is shown.
type kind uint8

const (
	number kind = iota
	address
	hardware
	text
	raw
)

// An element as the IANA registry has it; those under netfilter's number as the records that describe them do.
type element struct {
	pen  uint32
	id   uint16
	name string
	kind kind
	size int // octets; 0: any number
}

const (
	netfilter = 21373
	reverse   = 29305
)

var elements = []element{
	{0, 1, "octetDeltaCount", number, 8},
	{0, 2, "packetDeltaCount", number, 8},
	{0, 85, "octetTotalCount", number, 8},
	{0, 86, "packetTotalCount", number, 8},
	{0, 4, "protocolIdentifier", number, 1},
	{0, 5, "ipClassOfService", number, 1},
	{0, 6, "tcpControlBits", number, 2},
	{0, 7, "sourceTransportPort", number, 2},
	{0, 11, "destinationTransportPort", number, 2},
	{0, 8, "sourceIPv4Address", address, 4},
	{0, 12, "destinationIPv4Address", address, 4},
	{0, 27, "sourceIPv6Address", address, 16},
	{0, 28, "destinationIPv6Address", address, 16},
	{0, 32, "icmpTypeCodeIPv4", number, 2},
	{0, 139, "icmpTypeCodeIPv6", number, 2},
	{0, 10, "ingressInterface", number, 4},
	{0, 14, "egressInterface", number, 4},
	{0, 58, "vlanId", number, 2},
	{0, 56, "sourceMacAddress", hardware, 6},
	{0, 80, "destinationMacAddress", hardware, 6},
	{0, 256, "ethernetType", number, 2},
	{0, 15, "ipNextHopIPv4Address", address, 4},
	{0, 62, "ipNextHopIPv6Address", address, 16},
	{0, 9, "sourceIPv4PrefixLength", number, 1},
	{0, 13, "destinationIPv4PrefixLength", number, 1},
	{0, 29, "sourceIPv6PrefixLength", number, 1},
	{0, 30, "destinationIPv6PrefixLength", number, 1},
	{0, 136, "flowEndReason", number, 1},
	{0, 148, "flowId", number, 8},
	{0, 152, "flowStartMilliseconds", number, 8},
	{0, 153, "flowEndMilliseconds", number, 8},
	{0, 323, "observationTimeMilliseconds", number, 8},
	{0, 192, "ipTTL", number, 1},
	{0, 54, "fragmentIdentification", number, 4},
	{0, 225, "postNATSourceIPv4Address", address, 4},
	{0, 226, "postNATDestinationIPv4Address", address, 4},
	{0, 281, "postNATSourceIPv6Address", address, 16},
	{0, 282, "postNATDestinationIPv6Address", address, 16},
	{0, 227, "postNAPTSourceTransportPort", number, 2},
	{0, 228, "postNAPTDestinationTransportPort", number, 2},
	{0, 230, "natEvent", number, 1},
	{reverse, 1, "reverseOctetDeltaCount", number, 8},
	{reverse, 2, "reversePacketDeltaCount", number, 8},
	{reverse, 5, "reverseIpClassOfService", number, 1},
	{reverse, 6, "reverseTcpControlBits", number, 2},
	{reverse, 152, "reverseFlowStartMilliseconds", number, 8},
	{reverse, 153, "reverseFlowEndMilliseconds", number, 8},
	{netfilter, 3, "oob.prefix", text, 0},
	{netfilter, 4, "mark", number, 4},
	{netfilter, 5, "oob.hook", number, 1},
	{netfilter, 1001, "oob.uid", number, 4},
	{netfilter, 1002, "oob.gid", number, 4},
	{netfilter, 1004, "ct.zone", number, 2},
	{netfilter, 1005, "ct.labels", raw, 16},
	{netfilter, 1014, "sum.name", text, 0},
}

// told are elements of options records.
var told = []element{
	{0, 149, "observationDomainId", number, 4},
	{0, 143, "meteringProcessId", number, 4},
	{0, 36, "flowActiveTimeout", number, 2},
	{0, 37, "flowIdleTimeout", number, 2},
	{0, 302, "selectorId", number, 8},
	{0, 304, "selectorAlgorithm", number, 2},
	{0, 305, "samplingPacketInterval", number, 4},
	{0, 306, "samplingPacketSpace", number, 4},
	{0, 34, "samplingInterval", number, 4},
	{0, 35, "samplingAlgorithm", number, 1},
	{0, 82, "interfaceName", text, 0},
	{0, 164, "ignoredPacketTotalCount", number, 8},
	{0, 166, "notSentFlowTotalCount", number, 8},
	{0, 167, "notSentPacketTotalCount", number, 8},
	{0, 168, "notSentOctetTotalCount", number, 8},
}

// lookup returns the element of that number.
func lookup(pen uint32, id uint16) (element, bool) {
	for _, e := range slices.Concat(elements, told) {
		if e.pen == pen && e.id == id {
			return e, true
		}
	}
	return element{}, false
}

// show writes an element's octets as cells have them.
func (e element) show(v []byte) string {
	switch e.kind {
	case address:
		return net.IP(v).String()
	case hardware:
		return net.HardwareAddr(v).String()
	case text:
		return string(v)
	case raw:
		return fmt.Sprintf("%x", v)
	}
	var n uint64
	for _, c := range v {
		n = n<<8 | uint64(c)
	}
	return strconv.FormatUint(n, 10)
}
