// Packets of all kinds, to compare programs with each other.

package packettest

import "time"

// kinds are packets of all kinds that filters tell apart, from the network layer on.
func kinds() [][]Layer {
	var all [][]Layer
	add := func(l ...Layer) { all = append(all, l) }
	for i, pair := range [][2]string{{"10.0.0.1", "10.0.0.2"}, {"10.0.0.2", "10.0.0.1"}, {"10.1.2.3", "192.168.7.9"}, {"172.16.0.1", "10.0.0.1"}, {"10.0.0.1", "10.0.0.1"}} {
		v4 := IPv4{Src: pair[0], Dst: pair[1], Options: make([]byte, 4*i)}
		for _, ports := range [][2]uint16{{1234, 80}, {80, 1234}, {53, 53}, {6000, 22}, {443, 6010}, {22, 53}} {
			add(v4, TCP{Src: ports[0], Dst: ports[1], Flags: SYN}, Zeros(i*100))
			add(v4, UDP{Src: ports[0], Dst: ports[1]}, Zeros(int(ports[0])%300))
			add(v4, SCTP{Src: ports[0], Dst: ports[1]}, Zeros(4))
		}
		add(v4, ICMP{Type: 8}, Zeros(56))
		add(v4, GRE{}, IPv4{}, TCP{Src: 1234, Dst: 80})
		add(v4, ESP{SPI: 80}, Zeros(60))
		add(v4, DCCP{Src: 80, Dst: 53})
		add(v4, UDPLite{Src: 80, Dst: 53})
		add(v4, IPv6{}, TCP{Src: 80, Dst: 53})
		first, later := v4, v4
		first.MF, later.Offset, later.Proto = true, 1480, 17
		add(first, UDP{Src: 53, Dst: 80, Length: 3000}, Zeros(1472))
		add(later, Raw{0, 53, 0, 80, 0, 0, 0, 0})
		add(ARP{Sender: pair[0], Target: pair[1]})
	}
	for _, pair := range [][2]string{{"2001:db8::1", "2001:db8::2"}, {"2001:db8:0:1::5", "2001:db8::1"}, {"fe80::1", "ff02::1"}} {
		v6 := IPv6{Src: pair[0], Dst: pair[1]}
		for _, ports := range [][2]uint16{{1234, 80}, {53, 53}, {6000, 22}} {
			add(v6, TCP{Src: ports[0], Dst: ports[1]})
			add(v6, UDP{Src: ports[0], Dst: ports[1]}, Zeros(200))
			add(v6, SCTP{Src: ports[0], Dst: ports[1]})
			add(v6, DestinationOptions{}, UDP{Src: ports[0], Dst: ports[1]})
			add(v6, Fragment{MF: true}, UDP{Src: ports[0], Dst: ports[1]}, Zeros(1000))
			add(v6, Fragment{Next: 6, Offset: 1000}, Zeros(80))
		}
		add(v6, ICMPv6{Type: 135}, Zeros(20))
	}
	return all
}

// AllKinds are Ethernet frames of all kinds, plain, tagged, labelled, and cut.
func AllKinds() []Packet {
	var packets []Packet
	add := func(layers []Layer, outer ...Layer) {
		packets = append(packets, Packet{
			Time: time.Unix(int64(len(packets)), 0), Data: Build(append(append([]Layer{Ethernet{}}, outer...), layers...)...),
		})
	}
	for i, layers := range kinds() {
		add(layers)
		add(layers, VLAN{ID: uint16(100 + i%3), Prio: 5})
		add(layers, VLAN{ID: 7, TPID: TypeQinQ}, VLAN{ID: uint16(100 + i%3)})
		if _, arp := layers[0].(ARP); !arp {
			add(layers, MPLS{Label: uint32(1000 + i%3)})
			add(layers, MPLS{Label: 16}, MPLS{Label: uint32(1000 + i%3)})
			add(layers, VLAN{ID: 100}, MPLS{Label: 1000})
		}
	}
	add([]Layer{Raw("lldp")}, VLAN{ID: 1, Type: TypeLLDP})
	packets = append(packets, Packet{Time: time.Unix(1, 0), Data: Build(Ethernet{Type: 0x8035}, ARP{Sender: "10.0.0.1", Target: "10.0.0.9"})})
	packets = append(packets, Packet{Time: time.Unix(1, 0), Data: Build(Ethernet{Type: 0x9100}, VLAN{ID: 9, Type: TypeIPv4}, IPv4{}, UDP{Src: 53})})
	whole := packets
	for i, p := range whole {
		if i%4 != 0 {
			continue
		}
		// Not between the ports: libpcap may look at either first, and take what the other would
		// refuse.
		for _, kept := range []int{14, 15, 20, 24, 34, 35, 38, 54, 58} {
			if kept < len(p.Data) {
				packets = append(packets, Packet{Time: p.Time, Data: p.Data[:kept], Wire: len(p.Data)})
			}
		}
	}
	return packets
}
