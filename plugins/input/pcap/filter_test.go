// Filters where link types differ: in how the network layer is found.

package pcap

import (
	"testing"

	"ulogd/plugins/input/pcap/filter"
	"ulogd/test/nstest"
	pt "ulogd/test/packettest"
)

// TestFilterOnEveryLinkType compares with tcpdump where link types differ: how the network layer is
// found.
func TestFilterOnEveryLinkType(t *testing.T) {
	nstest.Need(t, "tool:tcpdump")
	// What libpcap does not filter, or finds the network layer of in fewer cases than tshark does.
	skip := map[uint16]bool{
		linkPPPSerial: true, linkRaw14: true, linkPrism: true, linkAVS: true, linkNull: true, linkLoop: true,
		linkPPP: true, linkNFLOG: true,
	}
	odd := func(c linkCase) bool {
		const fourAddresses = toDS | fromDS
		return c.link == linkRadiotap && c.frame[7] != 0 ||
			c.link == linkDot11 && (c.frame[1]&fourAddresses == fourAddresses || c.frame[1]&orderBit != 0)
	}
	for _, link := range []uint16{ // tcpdump finds no place for a header in them, or a fixed one
		linkPPPD, linkPPPDir, linkCHDLCDir, linkFRelay, linkFRelayDir, linkEnc, linkPFLOG, linkPPI, linkPKTAP,
		linkJuniperMLPPP, linkJuniperGGSN, linkJuniperATM2, linkJuniperServices, linkJuniperATM1, linkJuniperMonitor,
		linkJuniperPPPoE, linkJuniperPPPoEATM, linkJuniperEther, linkJuniperPPP, linkJuniperFRelay, linkJuniperCHDLC,
	} {
		skip[link] = true
	}
	byLink := map[uint16][]pt.Packet{}
	for _, c := range linkCases() {
		if c.etherType != typeMPLS && !skip[c.link] && !odd(c) {
			byLink[c.link] = append(byLink[c.link], pt.Packet{Data: c.frame})
		}
	}
	for link, packets := range byLink {
		file := pt.WriteNumbered(t, uint32(link), packets)
		for _, e := range []string{"ip", "ip6", "udp port 2", "host 192.0.2.1", "not ip6", "dst net 2001:db8::/32"} {
			want := pt.TcpdumpTakes(t, file, e)
			f, err := filter.Compile(e)
			if err != nil {
				t.Fatal(err)
			}
			for i, p := range packets {
				h, _ := network(link, p.Data)
				if got := f.Match(p.Data[h.net:], h.etherType, uint32(len(p.Data))); got != want[i] {
					t.Errorf("link type %d, %s: %v, tcpdump says %v of % x", link, e, got, want[i], p.Data)
				}
			}
		}
	}
}
