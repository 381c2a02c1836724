package nfct

import (
	"reflect"
	"testing"

	"github.com/mdlayher/netlink"
	"github.com/ti-mo/conntrack"
	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/input/netlink/nlattr"
)

func decoded(t testing.TB, b []byte) flow {
	t.Helper()
	m, rest := nlattr.NextMessage(b)
	if len(rest) > 0 {
		t.Fatalf("%d octets behind the message", len(rest))
	}
	var f flow
	if !f.decode(&m) {
		t.Fatal("does not decode")
	}
	return f
}

func TestDecode(t *testing.T) {
	f := decoded(t, destroyTCP.message())
	want := flow{
		orig:  tuple{src: engine.Addr4(0xc0000201), dst: engine.Addr4(0xc6336407), sport: 40000, dport: 443, proto: 6, has: hasIP | hasProto | hasPorts},
		reply: tuple{src: engine.Addr4(0xc6336407), dst: engine.Addr4(0xc0000201), sport: 443, dport: 40000, proto: 6, has: hasIP | hasProto | hasPorts},
		sent:  counters{10, 4000}, answered: counters{20, 8000},
		start: 1795227979547048123, stop: 1795227981549147456, stamp: 1795227981549148000,
		id: 77, status: 0x28e, family: unix.AF_INET, tcpState: key.TCPTimeWait, event: key.EventDestroy, has: hasID | hasTCP | hasCounters,
	}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("got  %+v\nwant %+v", f, want)
	}
}

// TestNothingStaysBehind decodes every sample after every other into the same struct.
func TestNothingStaysBehind(t *testing.T) {
	for _, c := range samples {
		want := decoded(t, c.message())
		for _, before := range samples {
			f := decoded(t, before.message())
			m, _ := nlattr.NextMessage(c.message())
			if !f.decode(&m) {
				t.Fatal("does not decode")
			}
			// What has no presence bit is stale, and nobody reads it.
			f.labels, f.helper, f.secctx, f.master = want.labels, want.helper, want.secctx, want.master
			f.orig.sport, f.orig.dport, f.reply.sport, f.reply.dport = want.orig.sport, want.orig.dport, want.reply.sport, want.reply.dport
			f.orig.icmpType, f.orig.icmpCode, f.reply.icmpType, f.reply.icmpCode = want.orig.icmpType, want.orig.icmpCode, want.reply.icmpType, want.reply.icmpCode
			f.orig.zone, f.reply.zone = want.orig.zone, want.reply.zone
			if !reflect.DeepEqual(f, want) {
				t.Errorf("after %+v:\ngot  %+v\nwant %+v", before, f, want)
			}
		}
	}
}

func TestRareParts(t *testing.T) {
	f := decoded(t, samples[2].message())
	if string(f.helper) != "ftp" || string(f.secctx) != "system_u:object_r:x:s0" || f.labels != (engine.Label{5}) || f.family != unix.AF_INET6 {
		t.Errorf("%+v", f)
	}
	if f = decoded(t, samples[3].message()); f.orig.zone != 1 || f.reply.zone != 2 || f.orig.icmpType != 128 || f.endReason() != key.EndForced {
		t.Errorf("%+v", f)
	}
	if f = decoded(t, samples[6].message()); f.has&hasMaster == 0 || f.master.dport != 443 || f.status&statusOffload == 0 {
		t.Errorf("%+v", f)
	}
	if f = decoded(t, destroyTCP.message()); f.endReason() != key.EndDetected {
		t.Errorf("end reason %d", f.endReason())
	}
}

// TestDamage cuts and bends messages at every octet: each decodes or is refused.
func TestDamage(t *testing.T) {
	var f flow
	refused := 0
	for _, c := range samples {
		whole := c.message()
		for i := range whole {
			if m, _ := nlattr.NextMessage(whole[:i]); m.Type != nlattr.Malformed {
				t.Fatalf("cut at %d of %d: not malformed", i, len(whole))
			}
			cut := nlattr.AppendMessage(nil, msgNew, 0, 0, func(b []byte) []byte { return append(b, whole[min(nlattr.MessageLen, i):i]...) })
			m, _ := nlattr.NextMessage(cut)
			if !f.decode(&m) {
				refused++
			}
			bent := append([]byte(nil), whole...)
			bent[i] ^= 0xff
			if m, _ := nlattr.NextMessage(bent); m.Type != nlattr.Malformed {
				f.decode(&m)
			}
		}
	}
	if refused == 0 {
		t.Error("no cut message was refused")
	}
}

// otherDecoder reads a message with an independent decoder.
func otherDecoder(m *nlattr.Message) (conntrack.Event, error) {
	var ev conntrack.Event
	err := ev.Unmarshal(netlink.Message{
		Header: netlink.Header{Length: uint32(nlattr.MessageLen + len(m.Body)), Type: netlink.HeaderType(m.Type), Flags: netlink.HeaderFlags(m.Flags)},
		Data:   m.Body,
	})
	return ev, err
}

func TestDecodeEqualsAnotherDecoder(t *testing.T) {
	for _, c := range samples {
		c.unknown, c.stamp = false, 0 // the other decoder refuses what it does not know
		m, _ := nlattr.NextMessage(c.message())
		ev, err := otherDecoder(&m)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		f, o := decoded(t, c.message()), ev.Flow
		mine := []any{f.id, f.mark, f.zone, uint32(f.status), f.timeout, f.orig.proto, f.sent.packets, f.sent.octets, f.answered.packets, f.answered.octets}
		other := []any{o.ID, o.Mark, o.Zone, uint32(o.Status), o.Timeout, o.TupleOrig.Proto.Protocol, o.CountersOrig.Packets, o.CountersOrig.Bytes, o.CountersReply.Packets, o.CountersReply.Bytes}
		if !reflect.DeepEqual(mine, other) {
			t.Errorf("%+v:\nmine  %v\nother %v", c, mine, other)
		}
		for _, pair := range []struct {
			mine  tuple
			other conntrack.Tuple
		}{{f.orig, o.TupleOrig}, {f.reply, o.TupleReply}} {
			if pair.mine.src != engine.AddrFrom(pair.other.IP.SourceAddress) || pair.mine.dst != engine.AddrFrom(pair.other.IP.DestinationAddress) {
				t.Errorf("%+v: addresses differ", c)
			}
			if pair.mine.has&hasPorts != 0 && (pair.mine.sport != pair.other.Proto.SourcePort || pair.mine.dport != pair.other.Proto.DestinationPort) {
				t.Errorf("%+v: ports differ", c)
			}
		}
	}
}

// FuzzDecode feeds messages that are not the kernel's. What decodes must be complete, and the
// shortcut for usual tuples must say what the walk says.
func FuzzDecode(f *testing.F) {
	for _, c := range samples {
		f.Add(c.message())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var mine flow
		for len(b) > 0 {
			var m nlattr.Message
			if m, b = nlattr.NextMessage(b); m.Type == nlattr.Malformed || !mine.decode(&m) {
				continue
			}
			if mine.orig.has&(hasIP|hasProto) != hasIP|hasProto {
				t.Error("a connection without addresses or protocol was accepted")
			}
			for attrs := m.Body[nfgenLen:]; len(attrs) > 0; {
				var kind uint16
				var v []byte
				if kind, v, attrs = nlattr.Next(attrs); kind != ctaTupleOrig {
					continue
				}
				var short, long tuple
				if short.usual(v) && (!long.walk(v) || short != long) {
					t.Errorf("the shortcut reads %+v, the walk %+v", short, long)
				}
			}
		}
	})
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	var f flow
	for _, c := range samples {
		b := c.message()
		if n := testing.AllocsPerRun(100, func() {
			m, _ := nlattr.NextMessage(b)
			f.decode(&m)
		}); n != 0 {
			t.Errorf("%v allocations for %+v", n, c)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	msg := destroyTCP.message()
	var f flow
	b.ReportAllocs()
	b.ReportMetric(float64(len(msg)), "octets/event")
	for b.Loop() {
		m, _ := nlattr.NextMessage(msg)
		if !f.decode(&m) {
			b.Fatal("does not decode")
		}
	}
}
