package difftest

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"ulogd/test/nstest"
	. "ulogd/test/packettest"
)

// flowOutputs are the stacks that a connection goes through.
var flowOutputs = []output{
	{"logemu", "s:IP2STR,p:PRINTFLOW,%s:LOGEMU", "file=FILE\nsync=1", logLines, " "},
	{"syslog", "s:IP2STR,p:PRINTFLOW,%s:SYSLOG", "level=LOG_NOTICE", logDatagrams, " "},
	{"nacct", "s:IP2STR,%s:NACCT", "file=FILE\nsync=1", fieldLines, "\t"},
	{"gprint", "s:IP2STR,%s:GPRINT", "file=FILE\nsync=1", fieldLines, ","},
	{"gprint-bin", "j:IP2HBIN,k:IP2BIN,%s:GPRINT", "file=FILE\nsync=1", fieldLines, ","},
	{"oprint", "s:IP2STR,%s:OPRINT", "file=FILE\nsync=1", blocks, "\n"},
	{"json", "s:IP2STR,%s:JSON", "file=FILE\nsync=1", fieldLines, `, "`},
	{"xml", "%s:XML", "directory=DIR\nsync=1", xmlElements, "><"},
}

// modes are those of NFCT that tell of events.
var modes = []struct{ name, settings, events string }{
	{"Ended", "", "DESTROY"},
	{"Events", "hash_enable=0", "NEW|DESTROY"},
}

// TestConnections has each daemon follow the same connections, to their ends or event by event.
func TestConnections(t *testing.T) {
	for _, c := range modes {
		t.Run(c.name, func(t *testing.T) {
			home, peer := cable(t)
			nstest.Need(t, "nf_conntrack", "tool:conntrack")
			track(t, home)
			in := input{plugin: "NFCT", settings: func(string, string) string { return c.settings }}
			d := startAll(t, home, flowOutputs, in, in, in)
			events := home.Start(t, "conntrack -E")
			events.WaitSubscribed(time.Minute)
			connections := connections()
			frames(peer, "far0", connections)(t)
			time.Sleep(300 * time.Millisecond) // the last answers; and this daemon reads ends and other events side by side
			home.Run(t, "conntrack -F")
			d.compare(t, told(t, events, c.events, len(connections)))
			compared++
		})
	}
}

// track makes the near end answer, and conntrack tell of it.
func track(t *testing.T, home *nstest.NS) {
	for _, command := range []string{
		"ip address add 10.77.0.1/24 dev eth0", "ip address add fd77::1/64 dev eth0 nodad",
		"ip neigh add 10.77.0.2 lladdr 02:00:00:00:00:02 dev eth0", "ip neigh add fd77::2 lladdr 02:00:00:00:00:02 dev eth0",
	} {
		home.Run(t, command)
	}
	nstest.EnableConntrack(t, home)
	home.Nft(t, `table inet t {
		chain zones { type filter hook prerouting priority -300; udp dport 2003 ct zone set 3; ether saddr != 02:00:00:00:00:02 drop; }
		chain marks { type filter hook prerouting priority -150; udp dport 2002 ct mark set 0x99; }
		chain nat { type nat hook prerouting priority -100; udp dport 2001 redirect to :2999; }
		chain untracked {
			type filter hook output priority -300
			oif lo notrack # this daemon tries out whether the kernel tracks
			meta l4proto tcp drop # refusals end connections at once, and the order of one's beginning and another's end is not the same
		}
		chain others { type filter hook output priority 0; icmpv6 type nd-neighbor-solicit drop; }
	}`)
}

// connections are the first packets of some.
func connections() (k []kind) {
	add := func(name string, layers ...Layer) { k = append(k, kind{name, eth(layers...)}) }
	add("tcp", ip4, TCP{Src: 40001, Dst: 80, Seq: 1, Flags: SYN})
	add("udp", ip4, UDP{Src: 40002, Dst: 2000}, Raw("four"))
	add("udp redirected", ip4, UDP{Src: 40003, Dst: 2001})
	add("udp mark", ip4, UDP{Src: 40004, Dst: 2002})
	add("udp zone", ip4, UDP{Src: 40005, Dst: 2003})
	add("icmp echo", ip4, ICMP{Type: 8, Rest: 77<<16 | 3}, Raw("12345678"))
	add("icmp timestamp", ip4, ICMP{Type: 13, Rest: 5<<16 | 6}, Zeros(12))
	add("gre", ip4, GRE{}, Build4())
	add("esp", ip4, ESP{SPI: 0x1002, Seq: 1}, Zeros(24))
	add("ah", ip4, AH{SPI: 0x1001, Seq: 1}, UDP{Src: 1, Dst: 2})
	add("protocol 253", with(ip4, func(h *IPv4) { h.Proto = 253 }), Raw("xx"))
	add("ip6 tcp", ip6, TCP{Src: 40011, Dst: 443, Seq: 2000, Flags: SYN})
	add("ip6 udp", ip6, UDP{Src: 5353, Dst: 5353}, Raw("abc"))
	add("ip6 icmp echo", ip6, ICMPv6{Type: 128, Rest: 88<<16 | 2}, Raw("12345678"))
	return k
}

var conntrackEvent = regexp.MustCompile(`(?m)^ *\[(NEW|UPDATE|DESTROY)\] (\S+) .*$`)

// told waits until conntrack has told of the ends of n connections, and returns the events: what
// they say of themselves is their name.
func told(t *testing.T, events *nstest.Proc, which string, n int) (kinds []kind) {
	t.Helper()
	wanted := regexp.MustCompile("^(" + which + ")$")
	nstest.Eventually(t, startTimeout, func() error {
		kinds = nil
		ends := 0
		for _, m := range conntrackEvent.FindAllStringSubmatch(events.Output(), -1) {
			if m[1] == "DESTROY" {
				ends++
			}
			if wanted.MatchString(m[1]) {
				family := "ip"
				if strings.Contains(m[0], "::") {
					family = "ip6"
				}
				kinds = append(kinds, kind{name: strings.ToLower(m[1]) + " " + family + " " + m[2]})
			}
		}
		if ends < n {
			return fmt.Errorf("conntrack has told of the ends of %d of %d connections:\n%s", ends, n, events.Output())
		}
		return nil
	})
	return kinds
}
