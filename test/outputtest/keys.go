// Package outputtest drives one output plugin in a test with records that are written down as text, such as lines that ulogd2's GPRINT wrote.
package outputtest

import (
	"encoding/hex"
	"net/netip"
	"strconv"

	"ulogd/engine"
	"ulogd/engine/key"
)

// A setter writes the text of a value into a row.
type setter func(b *engine.Batch, r engine.Row, text string) error

// giver binds a key and returns what fills it.
type giver func(p *engine.Binder, g engine.Group) setter

// givers holds every key by name.
var givers = map[string]giver{}

func init() {
	for _, k := range []engine.Key[uint8]{
		key.OrigProtocol, key.ReplyProtocol, key.IPProtocol, key.IPTOS, key.IPTTL, key.IPIHL, key.IP6Priority, key.IP6HopLimit, key.IP6NextHdr,
		key.TCPOffset, key.TCPReserved, key.TCPRes1, key.TCPRes2, key.ICMPType, key.ICMPCode, key.ICMP6Type, key.ICMP6Code, key.RawLabel,
		key.OOBHook, key.OOBFamily, key.CTTCPState,
	} {
		number(k)
	}
	for _, k := range []engine.Key[uint16]{
		key.OrigSport, key.OrigDport, key.ReplySport, key.ReplyDport, key.IPTotLen, key.IPCsum, key.IPID, key.IPFragOff, key.IP6PayloadLen,
		key.IP6FragOff, key.TCPSport, key.TCPDport, key.TCPWindow, key.TCPURGP, key.TCPCsum, key.UDPSport, key.UDPDport, key.UDPLen, key.UDPCsum,
		key.ICMPEchoID, key.ICMPEchoSeq, key.ICMPFragMTU, key.ICMPCsum, key.ICMP6EchoID, key.ICMP6EchoSeq, key.ICMP6Csum, key.ARPHwType,
		key.ARPProtocolType, key.ARPOperation, key.SCTPSport, key.SCTPDport, key.RawMACLen, key.RawType, key.RawMACAddrLen, key.OOBProtocol,
		key.OOBVLAN, key.CTZone,
	} {
		number(k)
	}
	for _, k := range []engine.Key[uint32]{
		key.IP6FlowLabel, key.IP6FragID, key.TCPSeq, key.TCPAckSeq, key.AHESPSPI, key.SCTPCsum, key.RawPktLen, key.RawPktCount, key.RawWireLen,
		key.OOBMark, key.OOBIfIn, key.OOBIfOut, key.OOBSeqLocal, key.OOBSeqGlobal, key.OOBUID, key.OOBGID, key.OOBIfPhysIn, key.OOBIfPhysOut,
		key.NufwUserID, key.CTMark, key.CTID, key.CTEvent, key.CTStatus, key.CTTimeout,
	} {
		number(k)
	}
	for _, k := range []engine.Key[uint64]{
		key.OrigOctets, key.OrigPackets, key.ReplyOctets, key.ReplyPackets, key.SumPackets, key.SumOctets,
	} {
		number(k)
	}
	for _, k := range []engine.Key[engine.Time]{key.OOBTime, key.FlowStart, key.FlowEnd} {
		number(k)
	}
	for _, k := range []engine.Key[bool]{key.TCPURG, key.TCPACK, key.TCPPSH, key.TCPRST, key.TCPSYN, key.TCPFIN} {
		add(k, func(_ *engine.Batch, s string) (bool, error) { return s != "0", nil })
	}
	for _, k := range []engine.Key[engine.Addr]{
		key.OrigSaddr, key.OrigDaddr, key.ReplySaddr, key.ReplyDaddr, key.IPSaddr, key.IPDaddr, key.ARPSaddr, key.ARPDaddr, key.ICMPGateway,
	} {
		add(k, func(_ *engine.Batch, s string) (engine.Addr, error) {
			a, err := netip.ParseAddr(s)
			return engine.AddrFrom(a), err
		})
	}
	for _, k := range []engine.Key[engine.String]{
		key.OOBPrefix, key.OOBIn, key.OOBOut, key.MACSaddrStr, key.MACDaddrStr, key.MACStr, key.Print, key.NufwUserName, key.NufwOSName,
		key.NufwOSRel, key.NufwOSVers, key.NufwAppName, key.IPSaddrStr, key.IPDaddrStr, key.OrigSaddrStr, key.OrigDaddrStr, key.ReplySaddrStr,
		key.ReplyDaddrStr, key.ARPSaddrStr, key.ARPDaddrStr, key.SumName, key.CTHelper,
	} {
		add(k, func(b *engine.Batch, s string) (engine.String, error) {
			return engine.String(b.AddText([]byte(s))), nil
		})
	}
	for _, k := range []engine.Key[engine.Raw]{key.RawMAC, key.RawPkt, key.RawMACSaddr, key.ARPShwAddr, key.ARPDhwAddr} {
		add(k, func(b *engine.Batch, s string) (engine.Raw, error) {
			data, err := hex.DecodeString(s)
			return engine.Raw(b.AddText(data)), err
		})
	}
}

func number[T engine.Integer](k engine.Key[T]) {
	add(k, func(_ *engine.Batch, s string) (T, error) {
		n, err := strconv.ParseUint(s, 0, 64)
		return T(n), err
	})
}

func add[T any](k engine.Key[T], parse func(*engine.Batch, string) (T, error)) {
	givers[k.Name()] = func(p *engine.Binder, g engine.Group) setter {
		col := engine.Give(p, g, k)
		return func(b *engine.Batch, r engine.Row, text string) (err error) {
			col.Of(b)[r], err = parse(b, text)
			return err
		}
	}
}
