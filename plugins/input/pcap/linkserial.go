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
func pppPPPD(b []byte) (header, bool) {
	if len(b) < 2 {
		return header{}, false
	}
	if b[1] == unnumbered {
		return pppAt(b, 2)
	}
	return pppAt(b, 1)
}

// frameRelay is an address of two to four octets (Q.922), then either a control octet and an NLPID
// (RFC 2427) or, as Cisco does it, an EtherType.
func frameRelay(b []byte) (header, bool) { return frameRelayAt(b, 0) }

func frameRelayAt(b []byte, pos int) (header, bool) {
	const end, longest = 1, 4
	first := pos
	for { // the last octet says that it is
		if len(b) <= pos {
			return header{}, false
		}
		pos++
		if b[pos-1]&end != 0 {
			break
		}
		if pos-first == longest {
			return noPacket, false
		}
	}
	if pos-first < 2 {
		return noPacket, false
	}
	if len(b) < pos+2 {
		return header{}, false
	}
	if b[pos] != unnumbered {
		if t := be.Uint16(b[pos:]); t >= 0x600 {
			return at(pos+2, t)
		}
		return noPacket, false
	}
	if pos++; b[pos] == 0 { // fills to an even place
		pos++
	}
	return nlpid(b, pos)
}

// nlpid reads an NLPID and what it announces.
func nlpid(b []byte, pos int) (header, bool) {
	if len(b) <= pos {
		return header{}, false
	}
	switch b[pos] {
	case nlpidIPv4:
		return at(pos+1, typeIPv4)
	case nlpidIPv6:
		return at(pos+1, typeIPv6)
	case nlpidPPP:
		return pppAt(b, pos+1)
	case nlpidSNAP:
		return snapAt(b, pos+1)
	}
	return noPacket, false
}

// snapAt reads SNAP's organization and protocol: an EtherType, or a bridged frame (RFC 2427 section
// 4.2, RFC 2684 section 5.2).
func snapAt(b []byte, pos int) (header, bool) {
	const bridged, withFCS, withoutFCS = 0x0080c2, 1, 7
	if len(b) < pos+5 {
		return header{}, false
	}
	organization, protocol := be.Uint32(b[pos:])>>8, be.Uint16(b[pos+3:])
	switch {
	case organization == 0:
		return at(pos+5, protocol)
	case organization == bridged && (protocol == withFCS || protocol == withoutFCS):
		return within(linkEthernet, b, pos+5)
	}
	return noPacket, false
}

// juniper reads what Juniper's routers put in front of a frame: "MGC", flags, if these say so
// extensions with their length, then for some kinds of interface a cookie.
func juniper(link uint16, b []byte) (header, bool) {
	const magic, noLink, extended = 0x4d4743, 2, 0x80
	if len(b) < 4 {
		return header{}, false
	}
	if be.Uint32(b)>>8 != magic {
		return noPacket, false
	}
	pos := 4
	if b[3]&extended != 0 {
		if len(b) < 6 {
			return header{}, false
		}
		if pos += 2 + int(be.Uint16(b[4:])); pos > longestHeader {
			return noPacket, false
		}
	}
	if len(b) <= pos {
		return header{}, false
	}
	if b[3]&noLink != 0 {
		return ipAt(b, pos+4)
	}
	switch link {
	case linkJuniperEther, linkJuniperPPPoE:
		return within(linkEthernet, b, pos)
	case linkJuniperPPP:
		return within(linkPPP, b, pos)
	case linkJuniperFRelay:
		return within(linkFRelay, b, pos)
	case linkJuniperCHDLC:
		return within(linkCiscoHDLC, b, pos)
	case linkJuniperPPPoEATM:
		if len(b) < pos+2 {
			return header{}, false
		}
		return at(pos+2, be.Uint16(b[pos:]))
	case linkJuniperGGSN, linkJuniperMonitor, linkJuniperServices:
		return ipAt(b, pos+8)
	case linkJuniperATM1:
		return juniperATM(b, pos, 4)
	case linkJuniperATM2:
		return juniperATM(b, pos, 8)
	}
	return juniperMLPPP(b, pos)
}

// juniperATM reads what is behind a cookie: LLC, Cisco's short form of it, or IP alone.
func juniperATM(b []byte, pos, cookie int) (header, bool) {
	const cells, cells2 = 0x80, 0x70 // of maintenance, in the first or the last octet of the cookie
	at := pos + cookie
	if len(b) < at+3 {
		return header{}, false
	}
	if cookie == 4 && b[pos] == cells || cookie == 8 && b[pos+7]&cells2 != 0 {
		return noPacket, false
	}
	switch be.Uint16(b[at:]) {
	case 0xaaaa:
		return snapAt(b, at+3)
	case 0xfefe:
		return nlpid(b, at+3)
	}
	if b[at] == unnumbered {
		return nlpid(b, at+1)
	}
	return ipAt(b, at)
}

// juniperMLPPP reads the cookie of a bundle of links, of which there are three kinds.
func juniperMLPPP(b []byte, pos int) (header, bool) {
	const linkServices, adaptive = 0x54, 0x47
	cookie := 2
	switch b[pos] {
	case linkServices:
		cookie = 4
	case adaptive:
		cookie = 8
	}
	if len(b) < pos+cookie {
		return header{}, false
	}
	if cookie == 8 {
		switch b[pos+5] & 0x70 {
		case 0x00:
			return at(pos+cookie, typeIPv4)
		case 0x10:
			return at(pos+cookie, typeIPv6)
		case 0x20:
			return at(pos+cookie, typeMPLS)
		}
		return noPacket, false
	}
	return within(linkPPP, b, pos+cookie)
}
