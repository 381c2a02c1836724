package difftest

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"ulogd/test/nstest"
)

// scene is namespaces with rules, and packets for them.
type scene struct {
	home    *nstest.NS // where the daemons run
	kinds   []kind
	send    func(t *testing.T)
	without []string // outputs that one of the daemons keeps these records from
}

// groups are those of ulogd2, this daemon in ulogd2's manner, and this daemon.
var groups = []int{1, 2, 3}

// logTo is the statements that log a packet to all groups.
func logTo(statement string) string {
	var rules []string
	for _, g := range groups {
		rules = append(rules, fmt.Sprintf("%s group %d queue-threshold 1", statement, g))
	}
	return strings.Join(rules, " ")
}

// cable makes two namespaces and the cable between them.
func cable(t *testing.T) (home, peer *nstest.NS) {
	nstest.Need(t, "root", "nft", "nflog", "veth", "tool:/usr/sbin/ulogd", "tool:jq", "tool:xmllint")
	home, peer = nstest.New(t), nstest.New(t)
	peer.Sysctl(t, "net.ipv6.conf.all.disable_ipv6", "1")
	peer.Sysctl(t, "net.ipv6.conf.default.disable_ipv6", "1")
	nstest.Veth(t, home, peer, "eth0", "", "far0", "")
	home.Run(t, "ip link set eth0 address "+net.HardwareAddr(near[:]).String())
	peer.Run(t, "ip link set far0 address "+net.HardwareAddr(far[:]).String())
	return home, peer
}

// frames sends the packets from the far end, one after the other.
func frames(peer *nstest.NS, device string, kinds []kind) func(t *testing.T) {
	return func(t *testing.T) {
		peer.Do(t, func() {
			link, err := net.InterfaceByName(device)
			if err != nil {
				t.Fatal(err)
			}
			fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			for _, k := range kinds {
				if err := unix.Sendto(fd, k.frame, 0, &unix.SockaddrLinklayer{Ifindex: link.Index, Halen: 6}); err != nil {
					t.Fatalf("send %s: %v", k.name, err)
				}
			}
		})
	}
}

// incoming is IPv4 and IPv6 in the prerouting hook.
func incoming(t *testing.T) scene {
	home, peer := cable(t)
	var rules []any
	var broken strings.Builder
	for i, p := range prefixes {
		if utf8.ValidString(p.text) {
			rules = append(rules, prefixRule(7000+i, p.text)...)
		} else { // which JSON cannot hold
			fmt.Fprintf(&broken, "udp dport %d %s drop\n", 7000+i, logTo(`log prefix "`+p.text+`"`))
		}
	}
	home.Nft(t, `table inet t {
		chain special {
			udp dport 6901 `+logTo(`log prefix "SNAP " snaplen 30`)+` drop
			udp dport 6902 `+logTo(`log prefix "SNAP " snaplen 20`)+` drop
			udp dport 6903 `+logTo(`log`)+` drop
			udp dport 6904 meta mark set 0xffffffff `+logTo(`log prefix "MARK "`)+` drop
		}
		chain pre {
			type filter hook prerouting priority -500; policy drop;
			ether saddr != 02:00:00:00:00:02 drop
			ip protocol udp udp dport 6900-6999 jump special
			ip protocol udp udp dport 7000-7099 jump prefixes
			meta mark set 0x2a `+logTo(`log prefix "IN: "`)+`
		}
		chain prefixes {
			`+broken.String()+`
		}
	}`)
	nftJSON(t, home, rules)
	kinds := ipKinds()
	return scene{home: home, kinds: kinds, send: frames(peer, "far0", kinds)}
}

// prefixRule adds the rules for one port, as JSON, whose strings hold any character.
func prefixRule(port int, prefix string) (rules []any) {
	type m = map[string]any
	match := m{"match": m{"op": "==", "left": m{"payload": m{"protocol": "udp", "field": "dport"}}, "right": port}}
	statements := []any{match}
	for _, g := range groups {
		statements = append(statements, m{"log": m{"prefix": prefix, "group": g, "queue-threshold": 1}})
	}
	statements = append(statements, m{"drop": nil})
	return []any{m{"add": m{"rule": m{"family": "inet", "table": "t", "chain": "prefixes", "expr": statements}}}}
}

func nftJSON(t *testing.T, ns *nstest.NS, commands []any) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"nftables": commands})
	if err != nil {
		t.Fatal(err)
	}
	cmd := ns.Cmd("nft -j -f -")
	cmd.Stdin = strings.NewReader(string(text))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v: %s", err, out)
	}
}
