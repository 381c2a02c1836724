package difftest

import (
	"encoding/binary"
	"net"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"ulogd/test/nstest"
	. "ulogd/test/packettest"
)

// outgoing is what programs of the near end send, with the users and groups that own their sockets.
func outgoing(t *testing.T) scene {
	home, _ := cable(t)
	home.Run(t, "ip address add 10.77.0.1/24 dev eth0")
	home.Run(t, "ip address add fd77::1/64 dev eth0 nodad")
	home.Nft(t, `table inet t {
		chain out {
			type filter hook output priority 0; policy accept;
			udp dport 9000-9009 `+logTo(`log prefix "OUT "`)+`
		}
	}`)
	kinds := []kind{{name: "root"}, {name: "user and group"}, {name: "ip6 user"}, {name: "largest ids"}}
	return scene{home: home, kinds: kinds, send: func(t *testing.T) {
		home.Do(t, func() {
			send(t, "10.77.0.2:9000", 0, 0)
			send(t, "10.77.0.2:9001", 1000, 1001)
			send(t, "[fd77::2]:9002", 1000, 1001)
			send(t, "10.77.0.2:9003", 4294967294, 4294967294)
		})
	}}
}

// send sends a datagram from a socket that belongs to a user and a group. The thread is not used
// again.
func send(t *testing.T, to string, uid, gid uint32) {
	t.Helper()
	unix.RawSyscall(unix.SYS_SETFSGID, uintptr(gid), 0, 0)
	unix.RawSyscall(unix.SYS_SETFSUID, uintptr(uid), 0, 0)
	c, err := net.Dial("udp", to)
	unix.RawSyscall(unix.SYS_SETFSUID, 0, 0, 0)
	unix.RawSyscall(unix.SYS_SETFSGID, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
}

// notIP are outputs that lose records that are not IP: in ulogd2, IP2BIN and IP2HBIN drop them;
// here, PCAP leaves them out of its file of IP packets.
var notIP = []string{"gprint-bin", "pcap"}

// linkKinds are what the link-layer families tell apart.
func linkKinds() []kind {
	arp := func(op uint16) []byte {
		return eth(ARP{Op: op, Sender: "10.77.0.2", Target: "10.77.0.1", SenderMAC: far, AskedAt: near})
	}
	return []kind{
		{"arp request", arp(1)},
		{"arp reply", arp(2)},
		{"arp nak", arp(10)},
		{"rarp request", arp(3)},
		{"ipv4", eth(ip4, UDP{Src: 1, Dst: 2}, Raw("1234"))},
		{"ipv4 tcp", eth(ip4, TCP{Src: 1, Dst: 2, Flags: SYN})},
		{"ipv6", eth(ip6, UDP{Src: 1, Dst: 2})},
		{"ipv6 icmp", eth(ip6, ICMPv6{Type: 128, Rest: 1<<16 | 2})},
		{"unknown ethertype", eth(Raw("unknown"))},
		{"lldp", Build(Ethernet{Dst: near, Src: far, Type: TypeLLDP}, Raw("lldp"))},
		{"vlan", eth(VLAN{ID: 5, Prio: 1}, ip4, UDP{Src: 1, Dst: 2})},
	}
}

// bridged is frames that a bridge passes on.
func bridged(t *testing.T) scene {
	home, peer := cable(t)
	other := nstest.New(t)
	nstest.Veth(t, home, other, "eth1", "", "far1", "")
	for _, device := range []string{"link add br0 type bridge", "link set br0 up", "link set eth0 master br0", "link set eth1 master br0"} {
		home.Run(t, "ip "+device)
	}
	home.Nft(t, `table bridge t {
		chain f {
			type filter hook forward priority 0; policy accept;
			ether saddr 02:00:00:00:00:02 meta mark set 7 `+logTo(`log prefix "BR "`)+`
		}
	}`)
	kinds := linkKinds()
	for i := range kinds { // to somebody behind the bridge
		copy(kinds[i].frame, []byte{2, 0, 0, 0, 0, 3})
	}
	return scene{home: home, kinds: kinds, send: frames(peer, "far0", kinds), without: notIP}
}

// resolving is the arp family.
func resolving(t *testing.T) scene {
	home, peer := cable(t)
	home.Nft(t, `table arp t { chain i { type filter hook input priority 0; `+logTo(`log prefix "ARP "`)+` drop; }; }`)
	kinds := linkKinds()[:4]
	return scene{home: home, kinds: kinds, send: frames(peer, "far0", kinds), without: notIP}
}

// ingress is the netdev family.
func ingress(t *testing.T) scene {
	home, peer := cable(t)
	home.Nft(t, `table netdev t { chain i { type filter hook ingress device "eth0" priority 0; ether saddr 02:00:00:00:00:02 `+logTo(`log prefix "DEV "`)+` drop; }; }`)
	kinds := linkKinds()
	return scene{home: home, kinds: kinds, send: frames(peer, "far0", kinds), without: notIP}
}

// message is one of UNIXSOCK's: a packet and options.
func message(packet []byte, options ...any) []byte {
	b := append(make([]byte, 10), byte(len(packet)>>8), byte(len(packet)))
	pad := func(from int) {
		for (len(b)-from)%8 != 0 {
			b = append(b, 0)
		}
	}
	b = append(b, packet...)
	pad(12)
	for i := 0; i < len(options); i += 2 {
		var v []byte
		switch o := options[i+1].(type) {
		case string:
			v = append([]byte(o), 0)
		case uint32:
			v = binary.NativeEndian.AppendUint32(nil, o)
		case uint8:
			v = []byte{o}
		}
		b = binary.BigEndian.AppendUint32(b, uint32(options[i].(int)))
		b = binary.BigEndian.AppendUint32(b, uint32(len(v)))
		start := len(b)
		b = append(b, v...)
		pad(start)
	}
	binary.BigEndian.PutUint32(b, 0x41c90fd4)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)-4))
	binary.NativeEndian.PutUint32(b[6:], 1)
	copy(b[10:], []byte{byte(len(packet) >> 8), byte(len(packet))})
	return b
}

// handed is messages to UNIXSOCK, each in the frame of a kind.
func handed() []kind {
	udp := Build(ip4, UDP{Src: 5353, Dst: 53}, Raw("x"))
	return []kind{
		{"all options", message(Build(ip4, TCP{Src: 1234, Dst: 80, Seq: 1, Flags: SYN, Window: 8192}), 1, "nufw prefix", 2, "eth0", 3, "eth1", 4, uint32(1700000000),
			200, "alice", 201, uint32(1000), 202, "Linux", 203, "6.1", 204, "#1 SMP", 205, "/usr/bin/curl", 206, uint8(1))},
		{"ipv6", message(Build(ip6, UDP{Src: 53, Dst: 5353}, Raw("x")), 1, "six", 2, "", 3, "eth1", 99, "unknown")},
		{"prefix only", message(udp, 1, "p")},
		{"odd length", message(Build(ip4, UDP{Src: 5353, Dst: 53}, Raw("xyz")), 2, "eth0", 1, "odd")},
		{"one interface", message(udp, 1, "in ", 2, "eth0")},
		{"icmp", message(Build(ip4, ICMP{Type: 8, Rest: 5}), 1, "icmp")},
		{"label", message(udp, 1, "l", 206, uint8(200))},
		{"truncated tcp", message(cut(ip4, TCP{Src: 1, Dst: 2}, 8)[14:], 1, "cut")},
	}
}

// handOver sends all messages to each of a daemon's sockets.
func handOver(t *testing.T, d *daemon, kinds []kind) {
	t.Helper()
	for _, o := range d.outs {
		var c net.Conn
		nstest.Eventually(t, startTimeout, func() (err error) {
			c, err = net.Dial("unix", filepath.Join(d.dir, "in-"+o.name))
			return err
		})
		var all []byte
		for _, k := range kinds {
			all = append(all, k.frame...)
		}
		for len(all) > 0 { // in pieces that end anywhere
			n := min(61, len(all))
			if _, err := c.Write(all[:n]); err != nil {
				t.Fatalf("%s: %v", d.name, err)
			}
			all = all[n:]
		}
		c.Close()
	}
}
