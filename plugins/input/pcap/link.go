// Link layers, by the numbers of tcpdump.org's list.

package pcap

import (
	"encoding/binary"
	"fmt"
)

// Link types: what stands in front of the network layer, by the numbers of tcpdump.org's list of
// link-layer header types.

const (
	linkNull      = 0
	linkEthernet  = 1
	linkPPP       = 9
	linkRaw12     = 12 // DLT_RAW of most systems
	linkRaw14     = 14 // DLT_RAW of OpenBSD
	linkPPPSerial = 50
	linkPPPoE     = 51
	linkRaw       = 101
	linkCiscoHDLC = 104
	linkDot11     = 105
	linkFRelay    = 107
	linkLoop      = 108
	linkEnc       = 109
	linkSLL       = 113
	linkPFLOG     = 117
	linkPrism     = 119
	linkRadiotap  = 127
	linkAVS       = 163
	linkPPPD      = 166
	linkPPI       = 192
	linkPPPDir    = 204
	linkCHDLCDir  = 205
	linkFRelayDir = 206
	linkIPv4      = 228
	linkIPv6      = 229
	linkNFLOG     = 239
	linkPKTAP     = 258
	linkSLL2      = 276

	linkJuniperMLPPP    = 130
	linkJuniperGGSN     = 133
	linkJuniperATM2     = 135
	linkJuniperServices = 136
	linkJuniperATM1     = 137
	linkJuniperMonitor  = 164
	linkJuniperPPPoE    = 167
	linkJuniperPPPoEATM = 168
	linkJuniperEther    = 178
	linkJuniperPPP      = 179
	linkJuniperFRelay   = 180
	linkJuniperCHDLC    = 181
)

const (
	typeIPv4 = 0x0800
	typeIPv6 = 0x86dd
	typeMPLS = 0x8847
	typeMPLM = 0x8848 // to many receivers
)

// header is what the link layer says of a packet.
type header struct {
	net         uint32 // where the network layer begins
	ifin, ifout uint32 // the capturing host's interfaces, 0 if not told
	etherType   uint16 // of the network layer
	src, dst    int16  // where the link addresses of six octets are, or -1
	other       bool   // the frame is whole and carries no packet that is read here
	aggregate   bool   // net is where the first of several packets with their own headers begins
}

var be = binary.BigEndian

// read reads the link header of a frame. It returns false if the frame ends in it or carries no
// data.
func (h *header) read(link uint16, b []byte) bool {
	*h = header{src: -1, dst: -1}
	return h.of(link, b)
}

func (h *header) of(link uint16, b []byte) bool {
	switch link {
	case linkEthernet:
		return h.ethernet(b)
	case linkRaw, linkRaw12, linkRaw14, linkIPv4, linkIPv6:
		return h.raw(b)
	case linkSLL:
		return h.sll(b)
	case linkSLL2:
		return h.sll2(b)
	case linkNull, linkLoop:
		return h.null(b)
	case linkPPP, linkPPPSerial:
		return h.ppp(b)
	case linkPPPoE:
		return h.pppoe(b)
	case linkCiscoHDLC:
		return h.ciscoHDLC(b)
	case linkNFLOG:
		return h.nflog(b)
	case linkDot11:
		return h.dot11(b, 0, false)
	case linkRadiotap:
		return h.radiotap(b)
	case linkPrism, linkAVS:
		return h.prism(b)
	case linkFRelay:
		return h.frameRelay(b)
	case linkPPPD:
		return h.pppPPPD(b)
	case linkPPPDir: // a direction in front
		return h.within(linkPPP, b, 1)
	case linkCHDLCDir:
		return h.within(linkCiscoHDLC, b, 1)
	case linkFRelayDir:
		return h.within(linkFRelay, b, 1)
	case linkEnc:
		return h.enc(b)
	case linkPFLOG:
		return h.pflog(b)
	case linkPPI:
		return h.ppi(b)
	case linkPKTAP:
		return h.pktap(b)
	case linkJuniperMLPPP, linkJuniperGGSN, linkJuniperATM2, linkJuniperServices, linkJuniperATM1, linkJuniperMonitor,
		linkJuniperPPPoE, linkJuniperPPPoEATM, linkJuniperEther, linkJuniperPPP, linkJuniperFRelay, linkJuniperCHDLC:
		return h.juniper(link, b)
	}
	return false
}

// supported reports whether network can read a link type.
func supported(link uint16) error {
	switch link {
	case linkEthernet, linkRaw, linkRaw12, linkRaw14, linkIPv4, linkIPv6, linkSLL, linkSLL2, linkNull, linkLoop,
		linkPPP, linkPPPSerial, linkPPPoE, linkCiscoHDLC, linkNFLOG, linkDot11, linkRadiotap, linkPrism, linkAVS,
		linkFRelay, linkPPPD, linkPPPDir, linkCHDLCDir, linkFRelayDir, linkEnc, linkPFLOG, linkPPI, linkPKTAP,
		linkJuniperMLPPP, linkJuniperGGSN, linkJuniperATM2, linkJuniperServices, linkJuniperATM1, linkJuniperMonitor,
		linkJuniperPPPoE, linkJuniperPPPoEATM, linkJuniperEther, linkJuniperPPP, linkJuniperFRelay, linkJuniperCHDLC:
		return nil
	}
	if name := linkNames[link]; name != "" {
		return fmt.Errorf("link type %d (%s) is not supported", link, name)
	}
	return fmt.Errorf("link type %d is not supported", link)
}

// hardwareOf gives the ARP hardware type (linux/if_arp.h) of a link type; cooked and other headers
// made for the capture have none, ARPHRD_VOID.
func hardwareOf(link uint16) uint16 {
	switch link {
	case linkEthernet:
		return arphrdEther
	case linkPPP, linkPPPSerial:
		return 512 // ARPHRD_PPP
	case linkCiscoHDLC:
		return 513 // ARPHRD_CISCO
	case linkDot11:
		return 801 // ARPHRD_IEEE80211
	case linkPrism, linkAVS:
		return 802 // ARPHRD_IEEE80211_PRISM
	case linkRadiotap:
		return 803 // ARPHRD_IEEE80211_RADIOTAP
	}
	return 0xffff
}

// noPacket says that the frame is none of a packet: of a link's own protocol, or of another
// network's.
func (h *header) noPacket() bool {
	h.other = true
	return false
}

// at says where the network layer begins, and of which network it is.
func (h *header) at(net int, etherType uint16) bool {
	h.net, h.etherType = uint32(net), etherType
	return true
}

// etherLength is the length of Ethernet's header: two addresses and the EtherType.
const etherLength = 14

func (h *header) ethernet(b []byte) bool {
	if len(b) < etherLength {
		return false
	}
	h.src, h.dst = 6, 0
	return h.at(etherLength, be.Uint16(b[12:]))
}

// raw has no link header: IP's version tells what it is.
func (h *header) raw(b []byte) bool { return h.ipAt(b, 0) }

func (h *header) ipAt(b []byte, net int) bool {
	if net < len(b) {
		switch b[net] >> 4 {
		case 4:
			return h.at(net, typeIPv4)
		case 6:
			return h.at(net, typeIPv6)
		}
		return h.noPacket()
	}
	return false
}

// sll is Linux' cooked header: packet type, hardware type, address length, 8 octets of address,
// EtherType.
func (h *header) sll(b []byte) bool {
	if len(b) < 16 {
		return false
	}
	if be.Uint16(b[4:]) == 6 {
		h.src = 6
	}
	return h.at(16, be.Uint16(b[14:]))
}

// sll2 is EtherType, 2 octets unused, interface index, hardware type, packet type, address length,
// 8 octets of address.
func (h *header) sll2(b []byte) bool {
	if len(b) < 20 {
		return false
	}
	if b[10] == 4 { // PACKET_OUTGOING of linux/if_packet.h
		h.ifout = be.Uint32(b[4:])
	} else {
		h.ifin = be.Uint32(b[4:])
	}
	if b[11] == 6 {
		h.src = 12
	}
	return h.at(20, be.Uint16(b))
}

// null is the BSDs' loopback header: the address family, in the order of the capturing host or, for
// loop, in network order. IRIX and UNICOS write it in two octets. Drivers of serial lines put PPP or
// Cisco HDLC there, and some an EtherType.
func (h *header) null(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	switch {
	case b[0] == 0xff && b[1] == 3:
		return h.pppAt(b, 2)
	case (b[0] == 0x0f || b[0] == 0x8f) && b[1] == 0 && be.Uint16(b[2:]) != 0:
		return h.ciscoHDLC(b)
	}
	family := binary.LittleEndian.Uint32(b)
	if family > 0xffff {
		family = be.Uint32(b)
	}
	switch family {
	case typeIPv4, typeIPv6:
		return h.at(4, uint16(family))
	}
	if family > 0xff && family&0xff == 0 {
		family >>= 8
	}
	return h.ofFamily(family, 4)
}

// ppp is PPP with or without HDLC-like framing (RFC 1662), or Cisco HDLC, which serial lines'
// captures mix with it.
func (h *header) ppp(b []byte) bool {
	if len(b) >= 4 && (b[0] == 0x0f || b[0] == 0x8f) && b[1] == 0 {
		return h.ciscoHDLC(b)
	}
	if len(b) >= 2 && b[0] == 0xff && b[1] == 3 {
		return h.pppAt(b, 2)
	}
	return h.pppAt(b, 0)
}

// pppAt reads PPP's protocol; an odd first octet says that the high octet, a zero, was left out
// (RFC 1661, section 6.5).
func (h *header) pppAt(b []byte, pos int) bool {
	if len(b) < pos+2 {
		return false
	}
	protocol, net := be.Uint16(b[pos:]), pos+2
	if b[pos]&1 != 0 {
		protocol, net = uint16(b[pos]), pos+1
	}
	switch protocol {
	case 0x0021:
		return h.at(net, typeIPv4)
	case 0x0057:
		return h.at(net, typeIPv6)
	case 0x0281:
		return h.at(net, typeMPLS)
	case 0x0283:
		return h.at(net, typeMPLM)
	}
	return h.noPacket()
}

// pppoe is a session header (RFC 2516): version and type, code 0, session, length.
func (h *header) pppoe(b []byte) bool {
	if len(b) < 6 {
		return false
	}
	if b[1] != 0 {
		return h.noPacket()
	}
	return h.pppAt(b, 6)
}

// ciscoHDLC is an address, a zero, an EtherType.
func (h *header) ciscoHDLC(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	return h.at(4, be.Uint16(b[2:]))
}
