// What NFTCOUNTER tells of rules that nft made, beside what nft tells of them.
package nftcounter_test

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"ulogd/engine"
	_ "ulogd/plugins/input/nftcounter"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// rules have a set of each kind of key that nft has, and maps.
const rules = `table inet filter {
  counter web { packets 5 bytes 500; }
  counter none { }
  set hosts { type ipv4_addr; counter; elements = { 192.0.2.1 counter packets 1 bytes 100, 192.0.2.2 }; }
  set nets { type ipv4_addr; flags interval; counter; elements = { 10.0.0.0/8, 192.0.2.0-192.0.2.5, 172.16.0.1, 172.16.0.2, 127.0.0.1 }; }
  set next { type inet_service; flags interval; counter; elements = { 1-5, 7-9, 16-31, 1024-65535 }; }
  set whole { type ipv4_addr; flags interval; counter; elements = { 0.0.0.0/0 }; }
  set nets6 { type ipv6_addr; flags interval; counter; elements = { 2001:db8::/32, ::1, fe80::1-fe80::5 }; }
  set triples { type ipv4_addr . inet_proto . inet_service; flags interval; counter
    elements = { 10.0.0.0/8 . tcp . 80-90, 192.0.2.1-192.0.2.9 . udp . 53, 127.0.0.0/8 . udp . 1003 }; }
  set pairs { typeof ip saddr . udp dport; counter; elements = { 1.2.3.4 . 53 }; }
  set links { typeof iifname . ether saddr . ip6 saddr; counter; elements = { "eth0" . 02:00:00:00:00:01 . ::1 }; }
  set markednets { type ipv4_addr . mark; flags interval; counter; elements = { 10.0.0.0/9 . 5-6, 10.128.0.0/9 . 8-15 }; }
  set marked { type ipv4_addr . mark; counter; elements = { 10.0.0.1 . 0x10 }; }
  map verdicts { type inet_service : verdict; counter; elements = { 22 : accept, 80 : drop }; }
  map marks { type mark : ipv4_addr; flags interval; counter; elements = { 1-5 : 1.2.3.4, 6-7 : 1.2.3.5, 0x10 : 2.3.4.5 }; }
  set onemark { type mark; counter; elements = { 0x10, 0xabcdef01 }; }
  set names { type ifname; flags interval; counter; elements = { "eth0", "wg*", "wlan1" }; }
  set onename { type ifname; counter; elements = { "eth0" }; }
  set cards { type ether_addr; counter; elements = { 02:00:00:00:00:01 }; }
  set pings { type icmp_type; counter; elements = { echo-request, 42 }; }
  set pings6 { type icmpv6_type; counter; elements = { nd-neighbor-solicit }; }
  set states { type ct_state; counter; elements = { established, new }; }
  set classes { typeof ip dscp; counter; elements = { ef, 0x05 }; }
  set vlans { typeof vlan id; counter; elements = { 5 }; }
  set lengths { typeof ip length; flags interval; counter; elements = { 100-200 }; }
  set users { typeof meta skuid; counter; elements = { 4321 }; }
  map others { type ipv4_addr : inet_service; counter; elements = { 10.0.0.1 : 80, * : 90 }; }
  map objects { type ipv4_addr : counter; elements = { 10.0.0.1 : "web" }; }
  set plain { type ipv4_addr; elements = { 192.0.2.9 }; }
  set seen { type ipv4_addr . inet_service; flags dynamic,timeout; timeout 1h; }
  chain c {
    type filter hook input priority 0;
    udp dport 1001 counter name "web"
    udp dport 1002 add @seen { ip saddr . udp dport counter }
    ip saddr @nets counter
    ip saddr . ip protocol . udp dport @triples
    ip saddr { 127.0.0.1 counter }
  }
}
table ip filter { counter web { packets 7 bytes 700; }; counter other { }; }
table arp other { counter web { }; }
`

// count makes a namespace with these rules.
func count(t *testing.T, ns *nstest.NS) {
	t.Helper()
	ns.Nft(t, rules)
}

// send sends n datagrams of 72 octets, 100 with their headers.
func send(t *testing.T, ns *nstest.NS, port, n int) {
	t.Helper()
	ns.Do(t, func() {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for range n {
			c.WriteTo(make([]byte, 72), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		}
	})
}

func start(t *testing.T, ns *nstest.NS, settings string) *stacktest.Daemon {
	t.Helper()
	return stacktest.Start(t, fmt.Sprintf(`stack = "nft1:NFTCOUNTER,out:RECORD"
[nft1]
network_namespace_path = %q
`+
		`pollinterval = 3600
%s
[out]
name = %q
extra_keys = true
`, ns.Path(), settings, t.Name()))
}

// poll takes the records of one poll, sorted.
func poll(t *testing.T, d *stacktest.Daemon, n int) (lines []string) {
	t.Helper()
	d.Machine.Signal(engine.Dump)
	d.Eventually(fmt.Sprintf("a poll of %d counters", n), func() bool {
		lines = append(lines, stacktest.Recorded(t.Name())...)
		return len(lines) >= n
	})
	slices.Sort(lines)
	return lines
}

// nftTells is what nft -j list ruleset says of counters, in the form of records.
func nftTells(t *testing.T, ns *nstest.NS) (lines []string) {
	t.Helper()
	type counted struct{ Packets, Bytes int }
	type object struct {
		Family, Table, Name string
		Packets, Bytes      int
		Type                any
		Elem                []json.RawMessage
	}
	out := ns.Run(t, "nft -j list ruleset")
	raw := struct{ Nftables []map[string]json.RawMessage }{}
	if err := json.Unmarshal([]byte(out), &raw); err != nil {
		t.Fatal(err)
	}
	line := func(o object, name string, packets, octets int) {
		lines = append(lines, fmt.Sprintf("sum.name=%s sum.pkts=%d sum.bytes=%d sum.family=%s sum.table=%s",
			name, packets, octets, o.Family, o.Table))
	}
	for _, entry := range raw.Nftables {
		for kind, text := range entry {
			var o object
			if kind != "counter" && kind != "set" && kind != "map" {
				continue
			}
			if err := json.Unmarshal(text, &o); err != nil {
				t.Fatal(err)
			}
			if kind == "counter" {
				line(o, o.Name, o.Packets, o.Bytes)
			}
			for _, e := range o.Elem {
				var pair []json.RawMessage
				if json.Unmarshal(e, &pair) == nil && len(pair) == 2 { // of a map
					e = pair[0]
				}
				var in struct {
					Elem struct {
						Val     any
						Counter *counted
					}
				}
				if json.Unmarshal(e, &in) == nil && in.Elem.Counter != nil {
					line(o, o.Name+"/"+shown(in.Elem.Val, o.Type), in.Elem.Counter.Packets, in.Elem.Counter.Bytes)
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// shown is a value as nft prints it without -j.
func shown(v, typ any) string {
	switch v := v.(type) {
	case float64:
		if typ == "mark" {
			return fmt.Sprintf("0x%08x", int64(v))
		}
		if typ == "dscp" {
			return fmt.Sprintf("0x%02x", int64(v))
		}
		return fmt.Sprint(int64(v))
	case map[string]any:
		switch {
		case v["prefix"] != nil:
			p := v["prefix"].(map[string]any)
			return fmt.Sprintf("%s/%v", shown(p["addr"], typ), p["len"])
		case v["range"] != nil:
			r := v["range"].([]any)
			return shown(r[0], typ) + "-" + shown(r[1], typ)
		case v["concat"] != nil:
			var parts []string
			for i, p := range v["concat"].([]any) {
				parts = append(parts, shown(p, typ.([]any)[i]))
			}
			return strings.Join(parts, " . ")
		}
	}
	return fmt.Sprint(v)
}

// compare compares one poll with what nft says.
func compare(t *testing.T, ours, theirs []string) {
	t.Helper()
	for _, line := range theirs {
		if !slices.Contains(ours, line) {
			t.Errorf("nft tells %s", line)
		}
	}
	for _, line := range ours {
		if !slices.Contains(theirs, line) {
			t.Errorf("we tell   %s", line)
		}
	}
}

// TestEqualsNft: names, tables, counts of every counter and element, and after packets have counted.
func TestEqualsNft(t *testing.T) {
	nstest.Need(t, "root", "nft")
	ns := nstest.New(t)
	count(t, ns)
	d := start(t, ns, "zerocounter = false")
	for _, n := range []int{0, 3} {
		send(t, ns, 1001, n)
		send(t, ns, 1002, n)
		send(t, ns, 1003, n)
		theirs := nftTells(t, ns)
		if len(theirs) < 45 {
			t.Fatalf("nft tells of %d counters alone: %q", len(theirs), theirs)
		}
		compare(t, poll(t, d, len(theirs)), theirs)
	}
	d.Stop()
	if s := d.Stats("nft1"); s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
}

// TestZeroing: what is read begins anew at zero, for counters and elements, and only what is asked for.
func TestZeroing(t *testing.T) {
	nstest.Need(t, "root", "nft")
	ns := nstest.New(t)
	count(t, ns)
	d := start(t, ns, "table = [\"fil*\"]\nfamily = \"inet\"\ncounter = [\"w?b\", \"seen\", \"triples\"]")
	for i, n := range []int{3, 0, 7} {
		send(t, ns, 1001, n)
		send(t, ns, 1002, n)
		packets := n
		if i == 0 {
			packets += 5 // that the rules begin with
		}
		want := []string{
			"sum.name=seen/127.0.0.1 . 1002 sum.pkts=%[1]d sum.bytes=%[1]d00 sum.family=inet sum.table=filter",
			"sum.name=triples/10.0.0.0/8 . tcp . 80-90 sum.pkts=0 sum.bytes=0 sum.family=inet sum.table=filter",
			"sum.name=triples/127.0.0.0/8 . udp . 1003 sum.pkts=0 sum.bytes=0 sum.family=inet sum.table=filter",
			"sum.name=triples/192.0.2.1-192.0.2.9 . udp . 53 sum.pkts=0 sum.bytes=0 sum.family=inet sum.table=filter",
			"sum.name=web sum.pkts=%[2]d sum.bytes=%[2]d00 sum.family=inet sum.table=filter",
		}
		for i, w := range want {
			w = strings.ReplaceAll(strings.ReplaceAll(w, "=%[1]d", fmt.Sprint("=", n)), "=%[2]d", fmt.Sprint("=", packets))
			want[i] = strings.ReplaceAll(w, "=000 ", "=0 ")
		}
		if got := poll(t, d, len(want)); !slices.Equal(got, want) {
			t.Errorf("poll %d: got\n%s\nwant\n%s", i, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	d.Stop()
	if left := ns.Run(t, "nft list counter ip filter web"); !strings.Contains(left, "packets 7 bytes 700") {
		t.Errorf("a counter that is not asked for was set to zero: %s", left)
	}
}

// TestNamespaceReturns: the namespace is deleted and made again. What was counted since the last poll is read before.
func TestNamespaceReturns(t *testing.T) {
	nstest.Need(t, "root", "nft")
	ns := nstest.New(t)
	count(t, ns)
	d := start(t, ns, "counter = \"web\"\ntable = \"filter\"\nfamily = \"inet\"")
	send(t, ns, 1001, 2)
	ns.Remove(t)
	d.Eventually("it is seen to be gone", func() bool { return d.Log.Has("the network namespace has gone away") })
	var lines []string
	d.Eventually("the last poll", func() bool {
		lines = append(lines, stacktest.Recorded(t.Name())...)
		return len(lines) > 0
	})
	if lines[0] != "sum.name=web sum.pkts=7 sum.bytes=700 sum.family=inet sum.table=filter" {
		t.Errorf("%q", lines)
	}
	ns.Make(t)
	count(t, ns)
	d.Eventually("it is read", func() bool { return d.Log.Has("the network namespace is there again") })
	send(t, ns, 1001, 1)
	if lines := poll(t, d, 1); lines[0] != "sum.name=web sum.pkts=6 sum.bytes=600 sum.family=inet sum.table=filter" {
		t.Errorf("%q", lines)
	}
	d.Stop()
}

// TestManyElements are more than one batch and one message of the kernel hold.
func TestManyElements(t *testing.T) {
	nstest.Need(t, "root", "nft")
	ns := nstest.New(t)
	var list []string
	for i := range 3000 {
		list = append(list, fmt.Sprintf("10.0.%d.%d", i/250, i%250))
	}
	ns.Nft(t, "table ip t { set many { type ipv4_addr; counter; elements = { "+strings.Join(list, ", ")+" }; }; }")
	d := start(t, ns, "")
	lines := poll(t, d, 3000)
	if len(slices.Compact(lines)) != 3000 {
		t.Errorf("%d different records", len(lines))
	}
	d.Stop()
}
