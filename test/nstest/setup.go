// Furnishing a namespace: settings, rules, cables.

package nstest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Sysctl sets a kernel parameter inside the namespace, by its dotted name.
func (ns *NS) Sysctl(t testing.TB, name, value string) {
	t.Helper()
	ns.Do(t, func() {
		if err := os.WriteFile("/proc/sys/"+strings.ReplaceAll(name, ".", "/"), []byte(value), 0); err != nil {
			t.Fatalf("set %s = %s: %v", name, value, err)
		}
	})
}

// Nft adds rules, in the language of `nft -f`, to those of the namespace.
func (ns *NS) Nft(t testing.TB, rules string) {
	t.Helper()
	cmd := ns.Cmd("nft -f -")
	cmd.Stdin = strings.NewReader(rules)
	output(t, cmd)
}

// EnableConntrack makes the kernel track connections inside the namespace, with counters and
// timestamps. Without a rule that asks for the state of a connection it tracks none.
func EnableConntrack(t testing.TB, ns *NS) {
	t.Helper()
	ns.Nft(t, "table inet track { chain c { type filter hook input priority 0; ct state new accept; }; }")
	ns.Sysctl(t, "net.netfilter.nf_conntrack_acct", "1")
	ns.Sysctl(t, "net.netfilter.nf_conntrack_timestamp", "1")
}

// Veth lays a cable between two namespaces and gives its ends their addresses ("192.0.2.1/24"; ""
// for none). Where ethtool is there, offloads that merge or split packets are off, so that a
// capture shows what was sent.
func Veth(t testing.TB, a, b *NS, nameA, addrA, nameB, addrB string) {
	t.Helper()
	Need(t, "veth")
	if err := ip("-n", a.name, "link", "add", nameA, "type", "veth", "peer", "name", nameB, "netns", b.name); err != nil {
		t.Fatal(err)
	}
	a.plug(t, nameA)
	b.plug(t, nameB)
	a.address(t, nameA, addrA)
	b.address(t, nameB, addrB)
}

func (ns *NS) plug(t testing.TB, device string) {
	t.Helper()
	if _, err := exec.LookPath("ethtool"); err == nil {
		ns.Run(t, "ethtool -K "+device+" gro off gso off tso off")
	}
	ns.Run(t, "ip link set "+device+" up")
}

// address follows plug at both ends: given earlier, an IPv6 address answers no neighbour
// solicitation at first.
func (ns *NS) address(t testing.TB, device, addr string) {
	t.Helper()
	if addr != "" {
		// nodad: an IPv6 address is usable at once. IPv4 takes the flag and ignores it.
		ns.Run(t, "ip address add "+addr+" dev "+device+" nodad")
	}
}
