// The keys that test inputs can give, and how their values are read from text.

package stacktest

import (
	"encoding/hex"
	"net"
	"net/netip"
	"strconv"

	"ulogd/engine"
	"ulogd/engine/key"
)

// A setter writes the text of a value into a row.
type setter func(b *engine.Batch, r engine.Row, text string) error

// A givenKey is a key that inputs of tests can give. bind returns what fills it. Raw data is given
// as hexadecimal digits where hexed is set.
type givenKey struct {
	name  string
	hexed bool
	bind  func(p *engine.Binder, g engine.Group) setter
}

func given[T any](k engine.Key[T], parse func(*engine.Batch, string) (T, error)) givenKey {
	return givenKey{name: k.Name(), bind: func(p *engine.Binder, g engine.Group) setter {
		col := engine.Give(p, g, k)
		return func(b *engine.Batch, r engine.Row, text string) (err error) {
			col.Of(b)[r], err = parse(b, text)
			return err
		}
	}}
}

func number[T engine.Integer](k engine.Key[T]) givenKey {
	return given(k, func(_ *engine.Batch, s string) (T, error) {
		n, err := strconv.ParseUint(s, 0, 64)
		return T(n), err
	})
}

func boolean(k engine.Key[bool]) givenKey {
	return given(k, func(_ *engine.Batch, s string) (bool, error) { return s != "0", nil })
}

func address(k engine.Key[engine.Addr]) givenKey {
	return given(k, func(_ *engine.Batch, s string) (engine.Addr, error) {
		a, err := netip.ParseAddr(s)
		return engine.AddrFrom(a), err
	})
}

func text(k engine.Key[engine.String]) givenKey {
	return given(k, func(b *engine.Batch, s string) (engine.String, error) {
		return engine.String(b.AddText([]byte(s))), nil
	})
}

func raw(k engine.Key[engine.Raw]) givenKey {
	g := given(k, func(b *engine.Batch, s string) (engine.Raw, error) {
		data, err := hex.DecodeString(s)
		return engine.Raw(b.AddText(data)), err
	})
	g.hexed = true
	return g
}

func hardware(k engine.Key[engine.MAC]) givenKey {
	return given(k, func(_ *engine.Batch, s string) (a engine.MAC, err error) {
		hw, err := net.ParseMAC(s)
		copy(a[:], hw)
		return a, err
	})
}

// label takes the 128 bits as hexadecimal digits.
func label(k engine.Key[engine.Label]) givenKey {
	return given(k, func(_ *engine.Batch, s string) (l engine.Label, err error) {
		_, err = hex.Decode(l[:], []byte(s))
		return l, err
	})
}

// known is what inputs of tests can give. Times are nanoseconds since 1970.
var known = []givenKey{
	number(key.OOBFamily), number(key.OOBProtocol), number(key.OOBTime), number(key.OOBMark), number(key.OOBHook),
	number(key.OOBIfIn), number(key.OOBIfOut), text(key.OOBPrefix), text(key.OOBIn), text(key.OOBOut),
	number(key.OOBVLAN), number(key.OOBUID), number(key.OOBGID), raw(key.RawPkt), number(key.RawPktLen),
	number(key.RawPktCount), raw(key.RawMAC), number(key.RawMACLen), number(key.RawType), number(key.RawLabel),
	raw(key.RawMACSaddr), number(key.RawMACAddrLen), address(key.IPSaddr), address(key.IPDaddr),
	number(key.IPProtocol), address(key.OrigSaddr), address(key.OrigDaddr), number(key.OrigProtocol),
	number(key.OrigSport), number(key.OrigDport), number(key.OrigOctets), number(key.OrigPackets),
	address(key.ReplySaddr), address(key.ReplyDaddr), number(key.ReplyProtocol), number(key.ReplySport),
	number(key.ReplyDport), number(key.ReplyOctets), number(key.ReplyPackets), number(key.ICMPType),
	number(key.ICMPCode), number(key.ICMP6Type), number(key.ICMP6Code), number(key.CTMark), number(key.CTID),
	number(key.CTEvent), number(key.CTStatus), number(key.CTZone), number(key.CTZoneOrig), number(key.CTZoneReply),
	number(key.CTTCPState), label(key.CTLabels),
	boolean(key.CTRecovered), number(key.FlowStart), number(key.FlowEnd), number(key.FlowEndReason),
	number(key.ReplyStart), number(key.ReplyEnd), number(key.OrigTOS), number(key.ReplyTOS),
	number(key.OrigTCPFlags), number(key.ReplyTCPFlags), hardware(key.OrigMACSaddr), hardware(key.OrigMACDaddr),
	address(key.RouteNextHop), number(key.RouteSrcPlen), number(key.RouteDstPlen), text(key.SumName),
	text(key.SumFamily), text(key.SumTable),
	number(key.SumPackets), number(key.SumOctets),
	number(key.IPTOS), number(key.IPTTL), number(key.IPIHL), number(key.IP6Priority), number(key.IP6HopLimit),
	number(key.IP6NextHdr), number(key.TCPOffset), number(key.TCPReserved), number(key.TCPRes1),
	number(key.TCPRes2),
	number(key.IPTotLen), number(key.IPCsum), number(key.IPID), number(key.IPFragOff), number(key.IP6PayloadLen),
	number(key.IP6FragOff), number(key.TCPSport), number(key.TCPDport), number(key.TCPWindow),
	number(key.TCPURGP), number(key.TCPCsum), number(key.UDPSport), number(key.UDPDport), number(key.UDPLen),
	number(key.UDPCsum), number(key.ICMPEchoID), number(key.ICMPEchoSeq), number(key.ICMPFragMTU),
	number(key.ICMPCsum), number(key.ICMP6EchoID), number(key.ICMP6EchoSeq), number(key.ICMP6Csum),
	number(key.ARPHwType), number(key.ARPProtocolType), number(key.ARPOperation), number(key.SCTPSport),
	number(key.SCTPDport),
	number(key.IP6FlowLabel), number(key.IP6FragID), number(key.TCPSeq), number(key.TCPAckSeq),
	number(key.AHESPSPI), number(key.SCTPCsum), number(key.RawWireLen), number(key.OOBSeqLocal),
	number(key.OOBSeqGlobal), number(key.OOBIfPhysIn), number(key.OOBIfPhysOut), number(key.NufwUserID),
	number(key.CTTimeout),
	boolean(key.TCPURG), boolean(key.TCPACK), boolean(key.TCPPSH), boolean(key.TCPRST), boolean(key.TCPSYN),
	boolean(key.TCPFIN),
	address(key.ARPSaddr), address(key.ARPDaddr), address(key.ICMPGateway),
	text(key.MACSaddrStr), text(key.MACDaddrStr), text(key.MACStr), text(key.Print), text(key.NufwUserName),
	text(key.NufwOSName), text(key.NufwOSRel), text(key.NufwOSVers), text(key.NufwAppName), text(key.IPSaddrStr),
	text(key.IPDaddrStr), text(key.OrigSaddrStr), text(key.OrigDaddrStr), text(key.ReplySaddrStr),
	text(key.ReplyDaddrStr), text(key.ARPSaddrStr), text(key.ARPDaddrStr), text(key.CTHelper),
	raw(key.ARPShwAddr), raw(key.ARPDhwAddr),
	number(key.OrigMinTTL), number(key.OrigMaxTTL), number(key.OOBVLANPriority), number(key.OOBCustomerVLAN),
	number(key.OOBCustomerPriority), number(key.OOBMPLS[0]), number(key.OOBMPLS[1]),
}

// lookup finds a key by name.
func lookup(name string) (givenKey, bool) {
	for _, k := range known {
		if k.name == name {
			return k, true
		}
	}
	return givenKey{}, false
}
