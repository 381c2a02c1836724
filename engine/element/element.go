// Package element is the one table of the information elements that keys and exporters have:
// number, name and type as in the IANA registry of IPFIX elements. Manuals print it, templates are
// made of it, and tests read what arrives by it.
package element

import (
	"strings"

	"ulogd/engine"
)

// Elements of flows and packets.
var (
	OctetDeltaCount  = of(1, "octetDeltaCount", engine.Unsigned64)
	PacketDeltaCount = of(2, "packetDeltaCount", engine.Unsigned64)
	OctetTotalCount  = of(85, "octetTotalCount", engine.Unsigned64)
	PacketTotalCount = of(86, "packetTotalCount", engine.Unsigned64)

	SourceIPv4Address      = of(8, "sourceIPv4Address", engine.IPv4Address)
	SourceIPv6Address      = of(27, "sourceIPv6Address", engine.IPv6Address)
	DestinationIPv4Address = of(12, "destinationIPv4Address", engine.IPv4Address)
	DestinationIPv6Address = of(28, "destinationIPv6Address", engine.IPv6Address)

	ProtocolIdentifier       = of(4, "protocolIdentifier", engine.Unsigned8)
	SourceTransportPort      = of(7, "sourceTransportPort", engine.Unsigned16)
	DestinationTransportPort = of(11, "destinationTransportPort", engine.Unsigned16)
	ICMPTypeCodeIPv4         = only(4, of(32, "icmpTypeCodeIPv4", engine.Unsigned16))
	ICMPTypeCodeIPv6         = only(6, v9(32, of(139, "icmpTypeCodeIPv6", engine.Unsigned16))) // RFC 3954 section 8: ICMP_TYPE is for both
	ICMPTypeIPv4             = only(4, of(176, "icmpTypeIPv4", engine.Unsigned8))
	ICMPCodeIPv4             = only(4, of(177, "icmpCodeIPv4", engine.Unsigned8))
	ICMPTypeIPv6             = only(6, of(178, "icmpTypeIPv6", engine.Unsigned8))
	ICMPCodeIPv6             = only(6, of(179, "icmpCodeIPv6", engine.Unsigned8))

	FlowStartSysUpTime    = of(22, "flowStartSysUpTime", engine.Unsigned32) // NetFlow v9's own times
	FlowEndSysUpTime      = of(21, "flowEndSysUpTime", engine.Unsigned32)
	FlowStartSeconds      = of(150, "flowStartSeconds", engine.DateTimeSeconds)
	FlowEndSeconds        = of(151, "flowEndSeconds", engine.DateTimeSeconds)
	FlowStartMilliseconds = of(152, "flowStartMilliseconds", engine.DateTimeMilliseconds)
	FlowEndMilliseconds   = of(153, "flowEndMilliseconds", engine.DateTimeMilliseconds)
	FlowStartMicroseconds = of(154, "flowStartMicroseconds", engine.DateTimeMicroseconds)
	FlowEndMicroseconds   = of(155, "flowEndMicroseconds", engine.DateTimeMicroseconds)
	FlowStartNanoseconds  = of(156, "flowStartNanoseconds", engine.DateTimeNanoseconds)
	FlowEndNanoseconds    = of(157, "flowEndNanoseconds", engine.DateTimeNanoseconds)
	FlowEndReason         = of(136, "flowEndReason", engine.Unsigned8)
	FlowID                = of(148, "flowId", engine.Unsigned64)

	ObservationTimeSeconds      = of(322, "observationTimeSeconds", engine.DateTimeSeconds)
	ObservationTimeMilliseconds = of(323, "observationTimeMilliseconds", engine.DateTimeMilliseconds)
	ObservationTimeMicroseconds = of(324, "observationTimeMicroseconds", engine.DateTimeMicroseconds)
	ObservationTimeNanoseconds  = of(325, "observationTimeNanoseconds", engine.DateTimeNanoseconds)

	ExporterIPv4Address = only(0, of(130, "exporterIPv4Address", engine.IPv4Address)) // of records of either family
	ExporterIPv6Address = only(0, of(131, "exporterIPv6Address", engine.IPv6Address))

	IngressInterface         = of(10, "ingressInterface", engine.Unsigned32)
	EgressInterface          = of(14, "egressInterface", engine.Unsigned32)
	IngressPhysicalInterface = of(252, "ingressPhysicalInterface", engine.Unsigned32)
	EgressPhysicalInterface  = of(253, "egressPhysicalInterface", engine.Unsigned32)
	VLANID                   = of(58, "vlanId", engine.Unsigned16)
	Dot1qVLANID              = of(243, "dot1qVlanId", engine.Unsigned16)
	Dot1qPriority            = of(244, "dot1qPriority", engine.Unsigned8)
	Dot1qCustomerVLANID      = of(245, "dot1qCustomerVlanId", engine.Unsigned16)
	Dot1qCustomerPriority    = of(246, "dot1qCustomerPriority", engine.Unsigned8)
	MPLSTopLabelStackSection = octets(3, of(70, "mplsTopLabelStackSection", engine.OctetArray))
	MPLSLabelStackSection2   = octets(3, of(71, "mplsLabelStackSection2", engine.OctetArray))
	MPLSLabelStackSection3   = octets(3, of(72, "mplsLabelStackSection3", engine.OctetArray))
	MPLSLabelStackSection4   = octets(3, of(73, "mplsLabelStackSection4", engine.OctetArray))
	FlowDirection            = of(61, "flowDirection", engine.Unsigned8)
	SourceMACAddress         = of(56, "sourceMacAddress", engine.MACAddress)
	DestinationMACAddress    = of(80, "destinationMacAddress", engine.MACAddress)
	EthernetType             = listed(engine.OOBProtocol.Info().Elements[0]) // the engine itself needs that key

	IPNextHopIPv4Address        = of(15, "ipNextHopIPv4Address", engine.IPv4Address)
	IPNextHopIPv6Address        = of(62, "ipNextHopIPv6Address", engine.IPv6Address)
	SourceIPv4PrefixLength      = only(4, of(9, "sourceIPv4PrefixLength", engine.Unsigned8))
	DestinationIPv4PrefixLength = only(4, of(13, "destinationIPv4PrefixLength", engine.Unsigned8))
	SourceIPv6PrefixLength      = only(6, of(29, "sourceIPv6PrefixLength", engine.Unsigned8))
	DestinationIPv6PrefixLength = only(6, of(30, "destinationIPv6PrefixLength", engine.Unsigned8))

	PostNATSourceIPv4Address         = of(225, "postNATSourceIPv4Address", engine.IPv4Address)
	PostNATDestinationIPv4Address    = of(226, "postNATDestinationIPv4Address", engine.IPv4Address)
	PostNATSourceIPv6Address         = of(281, "postNATSourceIPv6Address", engine.IPv6Address)
	PostNATDestinationIPv6Address    = of(282, "postNATDestinationIPv6Address", engine.IPv6Address)
	PostNAPTSourceTransportPort      = of(227, "postNAPTSourceTransportPort", engine.Unsigned16)
	PostNAPTDestinationTransportPort = of(228, "postNAPTDestinationTransportPort", engine.Unsigned16)
	NATEvent                         = of(230, "natEvent", engine.Unsigned8)
)

// Elements of headers.
var (
	IPVersion              = of(60, "ipVersion", engine.Unsigned8)
	IPClassOfService       = of(5, "ipClassOfService", engine.Unsigned8)
	IPTTL                  = of(192, "ipTTL", engine.Unsigned8)
	MinimumTTL             = of(52, "minimumTTL", engine.Unsigned8)
	MaximumTTL             = of(53, "maximumTTL", engine.Unsigned8)
	TotalLengthIPv4        = only(4, of(190, "totalLengthIPv4", engine.Unsigned16))
	PayloadLengthIPv6      = only(6, of(191, "payloadLengthIPv6", engine.Unsigned16))
	IPv4IHL                = only(4, of(207, "ipv4IHL", engine.Unsigned8))
	FlowLabelIPv6          = only(6, of(31, "flowLabelIPv6", engine.Unsigned32))
	FragmentIdentification = of(54, "fragmentIdentification", engine.Unsigned32)
	FragmentOffset         = of(88, "fragmentOffset", engine.Unsigned16)
	FragmentFlags          = of(197, "fragmentFlags", engine.Unsigned8)

	TCPControlBits           = of(6, "tcpControlBits", engine.Unsigned16)
	TCPSourcePort            = of(182, "tcpSourcePort", engine.Unsigned16)
	TCPDestinationPort       = of(183, "tcpDestinationPort", engine.Unsigned16)
	TCPSequenceNumber        = of(184, "tcpSequenceNumber", engine.Unsigned32)
	TCPAcknowledgementNumber = of(185, "tcpAcknowledgementNumber", engine.Unsigned32)
	TCPWindowSize            = of(186, "tcpWindowSize", engine.Unsigned16)
	TCPUrgentPointer         = of(187, "tcpUrgentPointer", engine.Unsigned16)
	UDPSourcePort            = of(180, "udpSourcePort", engine.Unsigned16)
	UDPDestinationPort       = of(181, "udpDestinationPort", engine.Unsigned16)

	ApplicationID = of(95, "applicationId", engine.OctetArray)
)

// Elements of options records.
var (
	ObservationDomainID         = of(149, "observationDomainId", engine.Unsigned32)
	MeteringProcessID           = of(143, "meteringProcessId", engine.Unsigned32)
	ExportingProcessID          = of(144, "exportingProcessId", engine.Unsigned32)
	TemplateID                  = of(145, "templateId", engine.Unsigned16)
	FlowKeyIndicator            = of(173, "flowKeyIndicator", engine.Unsigned64)
	ExportedOctetTotalCount     = of(40, "exportedOctetTotalCount", engine.Unsigned64)
	ExportedMessageTotalCount   = of(41, "exportedMessageTotalCount", engine.Unsigned64)
	ExportedFlowTotalCount      = of(42, "exportedFlowRecordTotalCount", engine.Unsigned64)
	IgnoredPacketTotalCount     = of(164, "ignoredPacketTotalCount", engine.Unsigned64)
	NotSentFlowTotalCount       = of(166, "notSentFlowTotalCount", engine.Unsigned64)
	NotSentPacketTotalCount     = of(167, "notSentPacketTotalCount", engine.Unsigned64)
	NotSentOctetTotalCount      = of(168, "notSentOctetTotalCount", engine.Unsigned64)
	InterfaceName               = of(82, "interfaceName", engine.Text)
	FlowActiveTimeout           = of(36, "flowActiveTimeout", engine.Unsigned16)
	FlowIdleTimeout             = of(37, "flowIdleTimeout", engine.Unsigned16)
	SelectorID                  = of(302, "selectorId", engine.Unsigned64)
	SelectorAlgorithm           = of(304, "selectorAlgorithm", engine.Unsigned16)
	SamplingPacketInterval      = of(305, "samplingPacketInterval", engine.Unsigned32)
	SamplingPacketSpace         = of(306, "samplingPacketSpace", engine.Unsigned32)
	SamplingInterval            = of(34, "samplingInterval", engine.Unsigned32) // this one and those below are out of use in IPFIX, and what many collectors read
	SamplingAlgorithm           = of(35, "samplingAlgorithm", engine.Unsigned8)
	SamplerID                   = of(48, "samplerId", engine.Unsigned8)
	SamplerMode                 = of(49, "samplerMode", engine.Unsigned8)
	SamplerRandomInterval       = of(50, "samplerRandomInterval", engine.Unsigned32)
	PrivateEnterpriseNumber     = of(346, "privateEnterpriseNumber", engine.Unsigned32)
	InformationElementID        = of(303, "informationElementId", engine.Unsigned16)
	InformationElementDataType  = of(339, "informationElementDataType", engine.Unsigned8)
	InformationElementSemantics = of(344, "informationElementSemantics", engine.Unsigned8)
	InformationElementUnits     = of(345, "informationElementUnits", engine.Unsigned16)
	InformationElementBegin     = of(342, "informationElementRangeBegin", engine.Unsigned64)
	InformationElementEnd       = of(343, "informationElementRangeEnd", engine.Unsigned64)
	InformationElementName      = of(341, "informationElementName", engine.Text)
	InformationElementDoc       = of(340, "informationElementDescription", engine.Text)
)

var table []*engine.Element

// All returns the table. Reverse elements (RFC 5103) are not in it: [Reverse] makes them.
func All() []*engine.Element { return table }

// Reverse returns the element for the other direction of a biflow (RFC 5103 section 6.1).
func Reverse(e *engine.Element) *engine.Element {
	r := *e
	r.PEN, r.Name = engine.Reverse, "reverse"+strings.ToUpper(e.Name[:1])+e.Name[1:]
	return &r
}

func of(id uint16, name string, typ engine.DataType) *engine.Element {
	e := &engine.Element{IE: engine.IE{ID: id}, Name: name, Type: typ}
	switch typ {
	case engine.IPv4Address:
		e.Family = 4
	case engine.IPv6Address:
		e.Family = 6
	}
	return listed(e)
}

func listed(e *engine.Element) *engine.Element {
	table = append(table, e)
	return e
}

func octets(n uint16, e *engine.Element) *engine.Element {
	e.Octets = n
	return e
}

func only(family uint8, e *engine.Element) *engine.Element {
	e.Family = family
	return e
}

func v9(id uint16, e *engine.Element) *engine.Element {
	e.V9 = id
	return e
}
