package pcap

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	pt "ulogd/test/packettest"
	"ulogd/test/stacktest"
)

// linkCases are frames of every link type around one and the same packet.
func linkCases() []linkCase {
	four := []pt.Layer{pt.IPv4{}, pt.UDP{Src: 1, Dst: 2}, pt.Raw("payload")}
	six := []pt.Layer{pt.IPv6{}, pt.UDP{Src: 1, Dst: 2}, pt.Raw("payload")}
	mpls := append([]pt.Layer{pt.MPLS{Label: 99}}, four...)
	var cases []linkCase
	add := func(link uint16, etherType uint16, inner []pt.Layer, outer ...pt.Layer) {
		cases = append(cases, linkCase{link, etherType, pt.Build(append(outer, inner...)...), pt.Build(inner...)})
	}
	for _, l := range []uint16{linkRaw, linkRaw12, linkRaw14, linkIPv4} {
		add(l, typeIPv4, four)
	}
	for _, l := range []uint16{linkRaw, linkRaw12, linkRaw14, linkIPv6} {
		add(l, typeIPv6, six)
	}
	for _, inner := range []struct {
		etherType uint16
		layers    []pt.Layer
	}{{typeIPv4, four}, {typeIPv6, six}, {typeMPLS, mpls}} {
		both := func(link uint16, outer ...pt.Layer) { add(link, inner.etherType, inner.layers, outer...) }
		both(linkEthernet, pt.Ethernet{Src: mac(2), Dst: mac(1)})
		both(linkSLL, pt.SLL{Src: mac(2)})
		both(linkSLL2, pt.SLL2{Src: mac(2), Ifindex: 70000})
		both(linkSLL2, pt.SLL2{Src: mac(2), Ifindex: 70000, PacketType: 4})
		both(linkPPP, pt.PPP{})
		both(linkPPP, pt.PPP{Compressed: true})
		both(linkPPPSerial, pt.PPP{})
		both(linkPPPSerial, pt.CiscoHDLC{})
		both(linkPPPoE, pt.PPPoE{})
		both(linkCiscoHDLC, pt.CiscoHDLC{})
		both(linkDot11, pt.Dot11{Addr: [4]pt.MAC{mac(1), mac(2)}}, pt.SNAP{})
		both(linkDot11, pt.Dot11{ToDS: true, QoS: true, Addr: [4]pt.MAC{mac(9), mac(2), mac(1)}}, pt.SNAP{})
		both(linkDot11, pt.Dot11{FromDS: true, QoS: true, HTControl: true, Addr: [4]pt.MAC{mac(1), mac(9), mac(2)}}, pt.SNAP{})
		both(linkDot11, pt.Dot11{FromDS: true, ToDS: true, QoS: true, Addr: [4]pt.MAC{mac(8), mac(9), mac(1), mac(2)}}, pt.SNAP{})
		both(linkRadiotap, pt.Radiotap{}, pt.Dot11{Addr: [4]pt.MAC{mac(1), mac(2)}}, pt.SNAP{})
		both(linkRadiotap, pt.Radiotap{Flags: 0x20, Extended: true}, pt.Dot11{QoS: true, Pad: true, Addr: [4]pt.MAC{mac(1), mac(2)}}, pt.SNAP{})
		both(linkPrism, pt.Prism{}, pt.Dot11{Addr: [4]pt.MAC{mac(1), mac(2)}}, pt.SNAP{})
		both(linkPrism, pt.AVS{}, pt.Dot11{Addr: [4]pt.MAC{mac(1), mac(2)}}, pt.SNAP{})
		both(linkAVS, pt.AVS{}, pt.Dot11{Addr: [4]pt.MAC{mac(1), mac(2)}}, pt.SNAP{})
		both(linkPPPD, pt.Prefix{1, 3}, pt.PPP{Compressed: true})
		both(linkPPPDir, pt.Prefix{1}, pt.PPP{})
		both(linkCHDLCDir, pt.Prefix{0}, pt.CiscoHDLC{})
		for _, relay := range []pt.FRelay{{}, {Address: 3}, {Address: 4}, {Cisco: true}, {SNAP: true}} {
			both(linkFRelay, relay)
			both(linkFRelayDir, pt.Prefix{1}, relay)
		}
		frame := pt.Ethernet{Src: mac(2), Dst: mac(1)}
		both(linkFRelay, pt.Prefix("\x18\x41\x03\x00\x80\x00\x80\xc2\x00\x07"), frame)
		both(linkPPI, pt.PPI{Link: linkEthernet}, frame)
		both(linkPPI, pt.PPI{Link: linkDot11}, pt.Dot11{Addr: [4]pt.MAC{mac(1), mac(2)}}, pt.SNAP{})
		both(linkPKTAP, pt.PKTAP{Link: linkEthernet}, frame)
		both(linkPKTAP, pt.PKTAP{Link: linkPPP}, pt.PPP{})
		for _, extended := range []bool{false, true} {
			both(linkJuniperEther, pt.Juniper{Extended: extended}, frame)
			both(linkJuniperPPPoE, pt.Juniper{Extended: extended}, frame)
			both(linkJuniperPPP, pt.Juniper{Extended: extended}, pt.PPP{})
			both(linkJuniperCHDLC, pt.Juniper{Extended: extended}, pt.CiscoHDLC{})
			both(linkJuniperFRelay, pt.Juniper{Extended: extended}, pt.FRelay{})
			both(linkJuniperMLPPP, pt.Juniper{Extended: extended, Cookie: []byte{0, 1}}, pt.PPP{})
			both(linkJuniperATM1, pt.Juniper{Extended: extended, Cookie: []byte{0, 0, 1, 0}}, pt.SNAP{})
			both(linkJuniperATM2, pt.Juniper{Extended: extended, Cookie: make([]byte, 8)}, pt.SNAP{})
		}
		both(linkJuniperPPPoEATM, pt.Juniper{}, pt.Prefix{byte(inner.etherType >> 8), byte(inner.etherType)})
		both(linkJuniperMLPPP, pt.Juniper{Cookie: []byte{0x54, 0, 0, 1}}, pt.PPP{})
		bundle := map[uint16]byte{typeIPv4: 0, typeIPv6: 0x10, typeMPLS: 0x20}[inner.etherType]
		both(linkJuniperMLPPP, pt.Juniper{Cookie: []byte{0x47, 0, 0, 0, 0, bundle, 0, 8}})
		if inner.etherType == typeMPLS {
			continue
		}
		for _, link := range []uint16{linkJuniperGGSN, linkJuniperMonitor, linkJuniperServices} {
			both(link, pt.Juniper{Cookie: make([]byte, 8)})
		}
		both(linkJuniperATM1, pt.Juniper{Cookie: []byte{0, 0, 1, 0}})
		both(linkJuniperATM2, pt.Juniper{Cookie: make([]byte, 8)},
			pt.Prefix{0xfe, 0xfe, 3, map[uint16]byte{typeIPv4: 0xcc, typeIPv6: 0x8e}[inner.etherType]})
		both(linkPFLOG, pt.PFLOG{})
		both(linkEnc, pt.Enc{})
		both(linkEnc, pt.Enc{BigEndian: true})
		for _, big := range []bool{false, true} {
			both(linkNull, pt.Null{BigEndian: big})
			both(linkNFLOG, pt.NFLOG{In: 70000, Prefix: "dropped: ", BigEndian: big})
			both(linkNFLOG, pt.NFLOG{Out: 70000, BigEndian: big})
		}
		both(linkLoop, pt.Loop{})
	}
	for _, family := range []uint32{24, 28, 30} {
		add(linkNull, typeIPv6, six, pt.Null{Family: family})
		add(linkNull, typeIPv6, six, pt.Null{Family: family, BigEndian: true})
		add(linkLoop, typeIPv6, six, pt.Loop{Family: family})
		add(linkPFLOG, typeIPv6, six, pt.PFLOG{Family: uint8(family)})
		add(linkEnc, typeIPv6, six, pt.Enc{Family: family})
	}
	// What drivers of serial lines and other systems put into the loopback's link type.
	for _, head := range []string{
		"\x0f\x00\x08\x00", "\x8f\x00\x08\x00", "\xff\x03\x00\x21", "\x00\x08\x00\x00",
		"\x00\x00\x08\x00", "\x00\x02\x00\x00",
	} {
		add(linkNull, typeIPv4, four, pt.Raw(head))
	}
	for _, head := range []string{"\x0f\x00\x86\xdd", "\xff\x03\x00\x57", "\xdd\x86\x00\x00", "\x00\x18\x00\x00"} {
		add(linkNull, typeIPv6, six, pt.Raw(head))
	}
	return cases
}

type linkCase struct {
	link, etherType uint16
	frame, packet   []byte
}

func mac(last byte) pt.MAC { return pt.MAC{2, 0, 0, 0, 0, last} }

func TestEveryLinkType(t *testing.T) {
	for i, c := range linkCases() {
		t.Run(fmt.Sprint(c.link, "-", i), func(t *testing.T) {
			if err := supported(c.link); err != nil {
				t.Fatal(err)
			}
			h, ok := network(c.link, c.frame)
			if !ok || h.etherType != c.etherType || !bytes.HasPrefix(c.frame[h.net:], c.packet) {
				t.Fatalf("%+v, %v of % x", h, ok, c.frame)
			}
			for name, a := range map[string]struct {
				pos  int16
				last byte
			}{"destination": {h.dst, 1}, "source": {h.src, 2}} {
				if a.pos >= 0 && pt.MAC(c.frame[a.pos:a.pos+6]) != mac(a.last) {
					t.Errorf("%s address is % x", name, c.frame[a.pos:a.pos+6])
				}
			}
			sent := c.link == linkSLL2 && c.frame[10] == 4
			if (c.link == linkSLL2 || c.link == linkNFLOG) && (h.ifin+h.ifout != 70000 || sent && h.ifout == 0) {
				t.Errorf("interfaces %d and %d", h.ifin, h.ifout)
			}
			for cut := range c.frame {
				if h2, ok := network(c.link, c.frame[:cut]); ok && (h2 != h || int(h2.net) > cut) {
					t.Errorf("cut to %d octets: %+v", cut, h2)
				}
			}
		})
	}
}

// TestFlowsHaveTheAddressesOfTheLink: those that the link layer has, at their places, and none
// where it has none.
func TestFlowsHaveTheAddressesOfTheLink(t *testing.T) {
	const src, both = "orig.mac.saddr=02:00:00:00:00:02", "orig.mac.saddr=02:00:00:00:00:02 orig.mac.daddr=02:00:00:00:00:01"
	want := map[uint16]string{
		linkEthernet: both, linkDot11: both, linkRadiotap: both, linkPrism: both, linkAVS: both, linkSLL: src,
		linkPPI: both, linkPKTAP: both, linkJuniperEther: both, linkJuniperPPPoE: both, linkSLL2: src,
	}
	seen := map[uint16]bool{}
	for i, c := range linkCases() {
		if seen[c.link] && c.link != linkDot11 || c.etherType == typeMPLS {
			continue
		}
		seen[c.link] = true
		name := fmt.Sprint(t.Name(), i)
		stacktest.Run(t, fmt.Sprintf(`
[global]
stack = "in:PCAP,base:BASE,flow:FLOW,out:RECORD"
[in]
file = %q
[out]
name = %q
keys = ["orig.mac.saddr", "orig.mac.daddr", "oob.mark"]
`, writeCapture(t, c.link, []pt.Packet{{Data: c.frame}}), name))
		if got := stacktest.Recorded(name); len(got) != 1 || got[0] != want[c.link] {
			t.Errorf("link type %d: %q, want %q", c.link, got, want[c.link])
		}
	}
}

func TestFramesWithoutData(t *testing.T) {
	packet := []pt.Layer{pt.SNAP{}, pt.IPv4{}, pt.UDP{}}
	for name, c := range map[string]struct {
		link   uint16
		layers []pt.Layer
	}{
		"beacon":            {linkDot11, []pt.Layer{pt.Dot11{Type: 1, Subtype: 8}, pt.Zeros(40)}},
		"acknowledgement":   {linkDot11, []pt.Layer{pt.Dot11{Type: 2, Subtype: 13}}},
		"null data":         {linkDot11, append([]pt.Layer{pt.Dot11{Subtype: 4}}, packet...)},
		"encrypted":         {linkDot11, append([]pt.Layer{pt.Dot11{Protected: true}}, packet...)},
		"LCP":               {linkPPP, []pt.Layer{pt.PPP{}, pt.Zeros(8)}},
		"other family":      {linkNull, []pt.Layer{pt.Null{Family: 16}, pt.Zeros(30)}},
		"no IP version":     {linkRaw, []pt.Layer{pt.Raw("\x10bc")}},
		"nothing":           {linkRaw, nil},
		"Frame Relay's LMI": {linkFRelay, []pt.Layer{pt.Prefix{0, 1, 3, 8, 0, 0x75}}},
		"PKTAP, no packet":  {linkPKTAP, []pt.Layer{pt.Prefix{108, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}, pt.Zeros(96)}},
		"PPI in PPI":        {linkPPI, []pt.Layer{pt.PPI{Link: linkPPI}, pt.PPI{Link: linkEthernet}, pt.Ethernet{}, pt.IPv4{}, pt.UDP{}}},
		"ATM's maintenance": {linkJuniperATM1, []pt.Layer{pt.Juniper{Cookie: []byte{0x80, 0, 0, 0}}, pt.Zeros(48)}},
		"PPPoE discovery":   {linkPPPoE, []pt.Layer{pt.Raw("\x11\x09\x00\x00\x00\x04\x01\x01\x00\x00")}},
		"NFLOG, no payload": {linkNFLOG, []pt.Layer{pt.Raw("\x02\x00\x00\x05\x08\x00\x01\x00\x08\x00\x01\x00")}},
		"NFLOG, length 0":   {linkNFLOG, []pt.Layer{pt.Raw("\x02\x00\x00\x05\x00\x00\x09\x00\x08\x00\x01\x00")}},
	} {
		h, ok := network(c.link, pt.Build(c.layers...))
		if ok {
			t.Errorf("%s has a network layer: %+v", name, h)
		}
		loss := name == "nothing" || strings.HasPrefix(name, "NFLOG")
		if h.other == loss {
			t.Errorf("%s: told as a loss: %v, want %v", name, !h.other, loss)
		}
	}
}

func TestLinkTypesRefusedByName(t *testing.T) {
	for link, want := range map[uint16]string{
		147: "link type 147 (USER0) is not supported", 195: "link type 195 (IEEE802_15_4_WITHFCS) is not supported",
		60000: "link type 60000 is not supported",
	} {
		if err := supported(link); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for link := range linkNames {
		if supported(link) == nil {
			t.Errorf("link type %d is supported and on the list of those that are not", link)
		}
	}
}

// Packets of link types that are not read are a loss, and told by name.
func TestRefusedPacketsAreCountedByName(t *testing.T) {
	var b bytes.Buffer
	ethernet := pt.Build(pt.Ethernet{}, pt.IPv4{}, pt.UDP{})
	packets := []pt.Packet{
		{Data: ethernet},
		{Data: make([]byte, 64), Port: 1},
		{Data: make([]byte, 64), Port: 2},
		{Data: make([]byte, 64), Port: 1},
		{Data: ethernet, Port: 3},
	}
	file := pt.PcapNG{Interfaces: []pt.Interface{{Link: 1}, {Link: 189}, {Link: 60000}, {Link: 1, Resolution: 0x7f}}}
	if err := pt.WritePcapNG(&b, file, packets); err != nil {
		t.Fatal(err)
	}
	d := stacktest.Run(t, fmt.Sprintf(`[global]
stack = "in:PCAP,out:NULL"
[in]
file = %q
`, writeFile(t, "x.pcapng", b.Bytes())))
	got := fmt.Sprint(d.Stats("in").Out, d.Count("in", "link_type"), d.Count("in", "link_type_usb_linux"),
		d.Count("in", "link_type_other"))
	if got != "1 4 2 1" {
		t.Errorf("out, link_type, usb_linux and other are %s\n%s", got, d.Sums())
	}
}

// network reads the link header of a frame.
func network(link uint16, frame []byte) (h header, ok bool) {
	ok = h.read(link, frame)
	return h, ok
}

func FuzzLink(f *testing.F) {
	for _, c := range linkCases() {
		f.Add(c.link, c.frame)
	}
	for _, p := range aggregates(3) {
		f.Add(uint16(linkDot11), p.Data)
	}
	f.Fuzz(func(t *testing.T, link uint16, frame []byte) {
		h, ok := network(link, frame)
		if !ok {
			return
		}
		for pos := int(h.net); h.aggregate && pos > 0; {
			var sub header
			_, next, ok := sub.subframe(frame, pos)
			if ok && (int(sub.net) > len(frame) || int(sub.src) < pos || int(sub.dst) < pos) || next > 0 && next <= pos {
				t.Fatalf("%+v, then %d, in a frame of %d octets", sub, next, len(frame))
			}
			pos = next
		}
		if supported(link) != nil {
			t.Fatal("reads a link type that it refuses")
		}
		if int(h.net) > len(frame) || h.src >= 0 && int(h.src)+6 > len(frame) || h.dst >= 0 && int(h.dst)+6 > len(frame) {
			t.Fatalf("%+v in a frame of %d octets", h, len(frame))
		}
	})
}
