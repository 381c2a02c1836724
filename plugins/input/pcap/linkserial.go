// Link layers of serial lines and of Juniper's routers.

package pcap

// Network layer protocol identifiers (ISO/IEC TR 9577, RFC 2427).
const (
	nlpidIPv4 = 0xcc
	nlpidIPv6 = 0x8e
	nlpidSNAP = 0x80
	nlpidPPP  = 0xcf

	unnumbered = 3 // LLC's and HDLC's control octet of a frame without a number
)

// pppPPPD is PPP with the direction in place of the address octet.
func (h *header) pppPPPD(b []byte) bool {
	if len(b) < 2 {
		return false
	}
	if b[1] == unnumbered {
		return h.pppAt(b, 2)
	}
	return h.pppAt(b, 1)
}

// frameRelay is an address of two to four octets (Q.922), then either a control octet and an NLPID
// (RFC 2427) or, as Cisco does it, an EtherType.
func (h *header) frameRelay(b []byte) bool { return h.frameRelayAt(b, 0) }

func (h *header) frameRelayAt(b []byte, pos int) bool {
	const end, longest = 1, 4
	first := pos
	for { // the last octet says that it is
		if len(b) <= pos {
			return false
		}
		pos++
		if b[pos-1]&end != 0 {
			break
		}
		if pos-first == longest {
			return h.noPacket()
		}
	}
	if pos-first < 2 {
		return h.noPacket()
	}
	if len(b) < pos+2 {
		return false
	}
	if b[pos] != unnumbered {
		if t := be.Uint16(b[pos:]); t >= 0x600 {
			return h.at(pos+2, t)
		}
		return h.noPacket()
	}
	if pos++; b[pos] == 0 { // fills to an even place
		pos++
	}
	return h.nlpid(b, pos)
}

// nlpid reads an NLPID and what it announces.
func (h *header) nlpid(b []byte, pos int) bool {
	if len(b) <= pos {
		return false
	}
	switch b[pos] {
	case nlpidIPv4:
		return h.at(pos+1, typeIPv4)
	case nlpidIPv6:
		return h.at(pos+1, typeIPv6)
	case nlpidPPP:
		return h.pppAt(b, pos+1)
	case nlpidSNAP:
		return h.snapAt(b, pos+1)
	}
	return h.noPacket()
}

// snapAt reads SNAP's organization and protocol: an EtherType, or a bridged frame (RFC 2427 section
// 4.2, RFC 2684 section 5.2).
func (h *header) snapAt(b []byte, pos int) bool {
	const bridged, withFCS, withoutFCS = 0x0080c2, 1, 7
	if len(b) < pos+5 {
		return false
	}
	organization, protocol := be.Uint32(b[pos:])>>8, be.Uint16(b[pos+3:])
	switch {
	case organization == 0:
		return h.at(pos+5, protocol)
	case organization == bridged && (protocol == withFCS || protocol == withoutFCS):
		return h.within(linkEthernet, b, pos+5)
	}
	return h.noPacket()
}

// juniper reads what Juniper's routers put in front of a frame: "MGC", flags, if these say so
// extensions with their length, then for some kinds of interface a cookie.
func (h *header) juniper(link uint16, b []byte) bool {
	const magic, noLink, extended = 0x4d4743, 2, 0x80
	if len(b) < 4 {
		return false
	}
	if be.Uint32(b)>>8 != magic {
		return h.noPacket()
	}
	pos := 4
	if b[3]&extended != 0 {
		if len(b) < 6 {
			return false
		}
		if pos += 2 + int(be.Uint16(b[4:])); pos > longestHeader {
			return h.noPacket()
		}
	}
	if len(b) <= pos {
		return false
	}
	if b[3]&noLink != 0 {
		return h.ipAt(b, pos+4)
	}
	switch link {
	case linkJuniperEther, linkJuniperPPPoE:
		return h.within(linkEthernet, b, pos)
	case linkJuniperPPP:
		return h.within(linkPPP, b, pos)
	case linkJuniperFRelay:
		return h.within(linkFRelay, b, pos)
	case linkJuniperCHDLC:
		return h.within(linkCiscoHDLC, b, pos)
	case linkJuniperPPPoEATM:
		if len(b) < pos+2 {
			return false
		}
		return h.at(pos+2, be.Uint16(b[pos:]))
	case linkJuniperGGSN, linkJuniperMonitor, linkJuniperServices:
		return h.ipAt(b, pos+8)
	case linkJuniperATM1:
		return h.juniperATM(b, pos, 4)
	case linkJuniperATM2:
		return h.juniperATM(b, pos, 8)
	}
	return h.juniperMLPPP(b, pos)
}

// juniperATM reads what is behind a cookie: LLC, Cisco's short form of it, or IP alone.
func (h *header) juniperATM(b []byte, pos, cookie int) bool {
	const cells, cells2 = 0x80, 0x70 // of maintenance, in the first or the last octet of the cookie
	at := pos + cookie
	if len(b) < at+3 {
		return false
	}
	if cookie == 4 && b[pos] == cells || cookie == 8 && b[pos+7]&cells2 != 0 {
		return h.noPacket()
	}
	switch be.Uint16(b[at:]) {
	case 0xaaaa:
		return h.snapAt(b, at+3)
	case 0xfefe:
		return h.nlpid(b, at+3)
	}
	if b[at] == unnumbered {
		return h.nlpid(b, at+1)
	}
	return h.ipAt(b, at)
}

// juniperMLPPP reads the cookie of a bundle of links, of which there are three kinds.
func (h *header) juniperMLPPP(b []byte, pos int) bool {
	const linkServices, adaptive = 0x54, 0x47
	cookie := 2
	switch b[pos] {
	case linkServices:
		cookie = 4
	case adaptive:
		cookie = 8
	}
	if len(b) < pos+cookie {
		return false
	}
	if cookie == 8 {
		switch b[pos+5] & 0x70 {
		case 0x00:
			return h.at(pos+cookie, typeIPv4)
		case 0x10:
			return h.at(pos+cookie, typeIPv6)
		case 0x20:
			return h.at(pos+cookie, typeMPLS)
		}
		return h.noPacket()
	}
	return h.within(linkPPP, b, pos+cookie)
}
