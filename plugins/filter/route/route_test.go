package route

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/filter/follow"
	"ulogd/plugins/input/netlink/nlattr"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// flows is an input of flows between addresses, each in a batch of its own, in a namespace.
type flows struct {
	namespace string
	list      [][2]string
	before    func(i int)
	i         int

	saddr, daddr engine.Col[engine.Addr]
	family       engine.Col[uint8]
	g            engine.Group
}

func (f *flows) Options(*engine.Options) {}

func (f *flows) Namespace() string { return f.namespace }

func (f *flows) Entered() uint64 { return 0 }

func (f *flows) Bind(p *engine.Binder) {
	f.g = p.Group()
	f.saddr, f.daddr = engine.Give(p, f.g, key.OrigSaddr), engine.Give(p, f.g, key.OrigDaddr)
	f.family = engine.Give(p, f.g, key.OOBFamily)
}

func (f *flows) Read(b *engine.Batch, _ time.Time) error {
	if f.i == len(f.list) {
		return io.EOF
	}
	if f.before != nil {
		f.before(f.i)
	}
	src, dst := netip.MustParseAddr(f.list[f.i][0]), netip.MustParseAddr(f.list[f.i][1])
	f.saddr.Of(b)[0], f.daddr.Of(b)[0], f.family.Of(b)[0] = engine.AddrFrom(src), engine.AddrFrom(dst), engine.FamilyIPv4
	if src.Is6() {
		f.family.Of(b)[0] = engine.FamilyIPv6
	}
	b.Have()[0] = f.g.Mask()
	b.Fill(1)
	f.i++
	return nil
}

// answers is an output that keeps what ROUTE gave.
type answers struct {
	fields []engine.Field
	rows   []string
}

func (a *answers) Options(*engine.Options) {}

func (a *answers) Bind(p *engine.Binder) engine.Stage {
	a.fields = p.All(func(f engine.Field) bool { return f.Giver == "r:ROUTE" })
	return a
}

func (a *answers) Consume(b *engine.Batch) {
	for _, r := range b.Rows() {
		var row []string
		for i := range a.fields {
			if f := &a.fields[i]; f.Has(b, r) {
				row = append(row, strings.TrimPrefix(f.Name, "route.")+"="+string(f.AppendText(nil, b, r)))
			}
		}
		a.rows = append(a.rows, strings.Join(row, " "))
	}
}

func run(t *testing.T, in *flows, settings ...string) []string {
	t.Helper()
	out := &answers{}
	plugin, _ := engine.Default.Lookup(engine.FilterKind, "ROUTE")
	f := engine.NewInstance(plugin, "r")
	stacktest.Configure(t, f, settings...)
	m, problems := engine.Build(slog.New(slog.DiscardHandler), []engine.StackSpec{{Instances: []*engine.Instance{
		stacktest.Instance(engine.InputKind, in), f, stacktest.Instance(engine.OutputKind, out),
	}}})
	for _, p := range problems {
		t.Fatal(p)
	}
	if err := m.Open(); err != nil {
		t.Fatal(err)
	}
	m.Start()
	if err := m.Wait(); err != nil {
		t.Fatal(err)
	}
	return out.rows
}

// router makes a namespace with two cables and routes over them.
func router(t *testing.T) *nstest.NS {
	ns := nstest.New(t)
	ns.Run(t, "sh -ec", `ip link add a0 type veth peer name a1; ip link add b0 type veth peer name b1
		for i in a0 a1 b0 b1; do ip link set $i up; done
		ip addr add 10.1.0.1/24 dev a0; ip addr add 10.2.0.1/24 dev b0
		ip addr add fd01::1/64 dev a0 nodad; ip addr add fd02::1/64 dev b0 nodad
		ip route add 198.18.0.0/15 via 10.1.0.2
		ip route add 198.18.4.0/22 via 10.2.0.2
		ip route add 198.18.5.7 via 10.1.0.3
		ip route add unreachable 198.19.0.0/24
		ip route add 203.0.113.0/24 nexthop via 10.2.0.9 nexthop via 10.1.0.9
		ip route add default via 10.2.0.254 metric 50
		ip route add default via 10.1.0.254 metric 100
		ip -6 route add 2001:db8::/32 via fd01::2
		ip -6 route add 2001:db8:1::/48 via fd02::2
		ip route add 192.0.2.0/24 via 10.1.0.77 table 100`)
	return ns
}

func TestRoutesOfTheKernel(t *testing.T) {
	nstest.Need(t, "root", "tool:ip")
	ns := router(t)
	a, b := ifindexOf(t, ns, "a0"), ifindexOf(t, ns, "b0")
	for _, c := range []struct{ src, dst, want string }{
		{"10.1.0.9", "198.18.1.1", "oob.ifindex_out=" + a + " nexthop=10.1.0.2 src.plen=24 dst.plen=15"},
		{"198.18.5.7", "198.18.5.8", "oob.ifindex_out=" + b + " nexthop=10.2.0.2 src.plen=32 dst.plen=22"},
		{"10.1.0.9", "198.18.5.7", "oob.ifindex_out=" + a + " nexthop=10.1.0.3 src.plen=24 dst.plen=32"},
		{"10.1.0.9", "10.2.0.9", "oob.ifindex_out=" + b + " src.plen=24 dst.plen=24"},
		{"10.1.0.9", "10.2.0.1", "src.plen=24 dst.plen=32"},
		{"10.1.0.9", "198.19.0.1", "src.plen=24 dst.plen=24"},
		{"10.1.0.9", "8.8.8.8", "oob.ifindex_out=" + b + " nexthop=10.2.0.254 src.plen=24 dst.plen=0"},
		{"10.1.0.9", "203.0.113.5", "oob.ifindex_out=" + b + " nexthop=10.2.0.9 src.plen=24 dst.plen=24"},
		{"fd01::9", "2001:db8:2::1", "oob.ifindex_out=" + a + " nexthop=fd01::2 src.plen=64 dst.plen=32"},
		{"fd01::9", "2001:db8:1::1", "oob.ifindex_out=" + b + " nexthop=fd02::2 src.plen=64 dst.plen=48"},
		{"fd01::9", "fd02::1", "src.plen=64 dst.plen=128"},
		{"fd01::9", "2a00::1", "src.plen=64"},
	} {
		got := run(t, &flows{namespace: ns.Path(), list: [][2]string{{c.src, c.dst}}})
		if got[0] != c.want {
			t.Errorf("%s > %s\n got %s\nwant %s", c.src, c.dst, got[0], c.want)
		}
	}
	got := run(t, &flows{namespace: ns.Path(), list: [][2]string{{"10.1.0.9", "192.0.2.1"}}}, "table=100")
	if got[0] != "oob.ifindex_out="+a+" nexthop=10.1.0.77 dst.plen=24" {
		t.Errorf("table 100: %s", got[0])
	}
}

// For any destination, output interface and next hop are those that the kernel itself names.
func TestAgreesWithIPRouteGet(t *testing.T) {
	nstest.Need(t, "root", "tool:ip")
	ns := router(t)
	var list [][2]string
	for i := range 40 {
		list = append(list, [2]string{"10.1.0.9", fmt.Sprintf("198.18.%d.%d", i/5, i*7%256)}, [2]string{"fd01::9", fmt.Sprintf("2001:db8:%x::%x", i%3, i)})
	}
	got := run(t, &flows{namespace: ns.Path(), list: list})
	via, dev := regexp.MustCompile(`via (\S+)`), regexp.MustCompile(`dev (\S+)`)
	for i, l := range list {
		says := ns.Run(t, "ip route get "+l[1])
		want := "oob.ifindex_out=" + ifindexOf(t, ns, dev.FindStringSubmatch(says)[1]) + " nexthop=" + via.FindStringSubmatch(says)[1] + " "
		if !strings.HasPrefix(got[i], want) {
			t.Errorf("%s: %s; the kernel says %s", l[1], got[i], says)
		}
	}
}

// Changes show in the next batch; also those that the kernel tells nothing of, after a second.
func TestFollowsChanges(t *testing.T) {
	nstest.Need(t, "root", "tool:ip")
	ns := router(t)
	a, b := ifindexOf(t, ns, "a0"), ifindexOf(t, ns, "b0")
	steps := []struct {
		command string
		wait    bool
		want    string
	}{
		{"true", false, "oob.ifindex_out=" + b + " nexthop=10.2.0.2 src.plen=24 dst.plen=22"},
		{"ip route replace 198.18.4.0/22 via 10.1.0.88", false, "oob.ifindex_out=" + a + " nexthop=10.1.0.88 src.plen=24 dst.plen=22"},
		{"ip route del 198.18.4.0/22", false, "oob.ifindex_out=" + a + " nexthop=10.1.0.2 src.plen=24 dst.plen=15"},
		{"ip route add 198.18.6.0/24 dev b0", false, "oob.ifindex_out=" + b + " src.plen=24 dst.plen=24"},
		{"ip link set b0 down", true, "oob.ifindex_out=" + a + " nexthop=10.1.0.2 src.plen=24 dst.plen=15"},
		{"ip addr del 10.1.0.1/24 dev a0", true, ""},
	}
	in := &flows{namespace: ns.Path()}
	for range steps {
		in.list = append(in.list, [2]string{"10.1.0.9", "198.18.6.1"})
	}
	in.before = func(i int) {
		if steps[i].wait {
			time.Sleep(follow.Settle)
		}
		ns.Run(t, steps[i].command)
	}
	for i, got := range run(t, in) {
		if got != steps[i].want {
			t.Errorf("after %q: %s, want %s", steps[i].command, got, steps[i].want)
		}
	}
}

// ifindexOf returns the number of an interface.
func ifindexOf(t *testing.T, ns *nstest.NS, name string) string {
	t.Helper()
	n, err := strconv.Atoi(strings.Split(strings.TrimSpace(ns.Run(t, "ip -o link show "+name)), ":")[0])
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(n)
}

func TestTableIsChecked(t *testing.T) {
	for name, want := range map[string]uint32{"all": 0, "main": 254, "local": 255, "100": 100} {
		f := &route{tableName: name}
		if err := f.Validate(); err != nil || f.table != want {
			t.Errorf("%s: %d, %v", name, f.table, err)
		}
	}
	for _, name := range []string{"", "0", "-1", "blue"} {
		if err := (&route{tableName: name}).Validate(); err == nil || !strings.HasPrefix(err.Error(), "table: ") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// FuzzMessage takes any octets as a message about a route.
func FuzzMessage(f *testing.F) {
	body := make([]byte, 12)
	body[0], body[1], body[7] = 2, 24, 1
	f.Add(nlattr.Append(nlattr.Append(body, 1, []byte{10, 0, 0, 0}), 4, []byte{1, 0, 0, 0}), uint16(24))
	hops := []byte{16, 0, 0, 0, 3, 0, 0, 0, 8, 0, 5, 0, 10, 0, 0, 1}
	f.Add(nlattr.Append(body, 9, hops), uint16(25))
	f.Fuzz(func(t *testing.T, body []byte, typ uint16) {
		fl := &routes{count: &engine.Counter{}}
		fl.Change(nlattr.Message{Type: typ, Body: body})
		fl.Change(nlattr.Message{Type: 24, Flags: 0x100, Body: body})
		if m, ok := readRoute(body); ok && fl.tables[m.version/6].lookup(masked(m.addr, m.plen)) == nil {
			t.Errorf("a route is not found again: %+v", m)
		}
	})
}
