package ctnetlink_test

import (
	"reflect"
	"testing"

	"github.com/mdlayher/netlink"
	"github.com/ti-mo/conntrack"
	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/input/netlink/nlattr"
	"ulogd/plugins/input/nfct/ctnetlink"
	"ulogd/test/cttest"
)

func TestDecode(t *testing.T) {
	f := cttest.Decoded(t, cttest.DestroyTCP.Bytes())
	want := ctnetlink.Flow{
		Orig: ctnetlink.Tuple{
			Src:   engine.Addr4(0xc0000201),
			Dst:   engine.Addr4(0xc6336407),
			Sport: 40000,
			Dport: 443,
			Proto: 6,
			Has:   ctnetlink.HasIP | ctnetlink.HasProto | ctnetlink.HasPorts,
		},
		Reply: ctnetlink.Tuple{
			Src:   engine.Addr4(0xc6336407),
			Dst:   engine.Addr4(0xc0000201),
			Sport: 443,
			Dport: 40000,
			Proto: 6,
			Has:   ctnetlink.HasIP | ctnetlink.HasProto | ctnetlink.HasPorts,
		},
		Sent: ctnetlink.Counters{Packets: 10, Octets: 4000}, Answered: ctnetlink.Counters{Packets: 20, Octets: 8000},
		Start: 1795227979547048123, Stop: 1795227981549147456, Stamp: 1795227981549148000,
		ID: 77, Status: 0x28e, Family: unix.AF_INET, TCPState: key.TCPTimeWait, Event: key.EventDestroy,
		Has: ctnetlink.HasID | ctnetlink.HasTCP | ctnetlink.HasCounters,
	}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("got  %+v\nwant %+v", f, want)
	}
}

// TestNothingStaysBehind decodes every sample after every other into the same struct.
func TestNothingStaysBehind(t *testing.T) {
	for _, c := range cttest.Samples {
		want := cttest.Decoded(t, c.Bytes())
		for _, before := range cttest.Samples {
			f := cttest.Decoded(t, before.Bytes())
			m, _ := nlattr.NextMessage(c.Bytes())
			if !f.Decode(&m) {
				t.Fatal("does not decode")
			}
			// What has no presence bit is stale, and nobody reads it.
			f.Labels, f.Helper, f.SecCtx, f.Master = want.Labels, want.Helper, want.SecCtx, want.Master
			f.Orig.Sport, f.Orig.Dport, f.Reply.Sport, f.Reply.Dport = want.Orig.Sport, want.Orig.Dport, want.Reply.Sport,
				want.Reply.Dport
			f.Orig.ICMPType, f.Orig.ICMPCode, f.Reply.ICMPType, f.Reply.ICMPCode = want.Orig.ICMPType, want.Orig.ICMPCode,
				want.Reply.ICMPType, want.Reply.ICMPCode
			f.Orig.Zone, f.Reply.Zone = want.Orig.Zone, want.Reply.Zone
			if !reflect.DeepEqual(f, want) {
				t.Errorf("after %+v:\ngot  %+v\nwant %+v", before, f, want)
			}
		}
	}
}

func TestRareParts(t *testing.T) {
	f := cttest.Decoded(t, cttest.Samples[2].Bytes())
	if string(f.Helper) != "ftp" || string(f.SecCtx) != "system_u:object_r:x:s0" || f.Labels != (engine.Label{5}) ||
		f.Family != unix.AF_INET6 {
		t.Errorf("%+v", f)
	}
	if f = cttest.Decoded(t, cttest.Samples[3].Bytes()); f.Orig.Zone != 1 || f.Reply.Zone != 2 ||
		f.Orig.ICMPType != 128 ||
		f.EndReason() != key.EndForced {
		t.Errorf("%+v", f)
	}
	if f = cttest.Decoded(t, cttest.Samples[6].Bytes()); f.Has&ctnetlink.HasMaster == 0 || f.Master.Dport != 443 ||
		f.Status&ctnetlink.StatusOffload == 0 {
		t.Errorf("%+v", f)
	}
	if f = cttest.Decoded(t, cttest.DestroyTCP.Bytes()); f.EndReason() != key.EndDetected {
		t.Errorf("end reason %d", f.EndReason())
	}
}

// TestDamage cuts and bends messages at every octet: each decodes or is refused.
func TestDamage(t *testing.T) {
	var f ctnetlink.Flow
	refused := 0
	for _, c := range cttest.Samples {
		whole := c.Bytes()
		for i := range whole {
			if m, _ := nlattr.NextMessage(whole[:i]); m.Type != nlattr.Malformed {
				t.Fatalf("cut at %d of %d: not malformed", i, len(whole))
			}
			cut := nlattr.AppendMessage(
				nil,
				ctnetlink.MsgNew,
				0,
				0,
				func(b []byte) []byte { return append(b, whole[min(nlattr.MessageLen, i):i]...) },
			)
			m, _ := nlattr.NextMessage(cut)
			if !f.Decode(&m) {
				refused++
			}
			bent := append([]byte(nil), whole...)
			bent[i] ^= 0xff
			if m, _ := nlattr.NextMessage(bent); m.Type != nlattr.Malformed {
				f.Decode(&m)
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
		Header: netlink.Header{
			Length: uint32(nlattr.MessageLen + len(m.Body)),
			Type:   netlink.HeaderType(m.Type),
			Flags:  netlink.HeaderFlags(m.Flags),
		},
		Data: m.Body,
	})
	return ev, err
}

func TestDecodeEqualsAnotherDecoder(t *testing.T) {
	for _, c := range cttest.Samples {
		c.Unknown, c.Stamp = false, 0 // the other decoder refuses what it does not know
		m, _ := nlattr.NextMessage(c.Bytes())
		ev, err := otherDecoder(&m)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		f, o := cttest.Decoded(t, c.Bytes()), ev.Flow
		mine := []any{
			f.ID,
			f.Mark,
			f.Zone,
			uint32(f.Status),
			f.Timeout,
			f.Orig.Proto,
			f.Sent.Packets,
			f.Sent.Octets,
			f.Answered.Packets,
			f.Answered.Octets,
		}
		other := []any{
			o.ID,
			o.Mark,
			o.Zone,
			uint32(o.Status),
			o.Timeout,
			o.TupleOrig.Proto.Protocol,
			o.CountersOrig.Packets,
			o.CountersOrig.Bytes,
			o.CountersReply.Packets,
			o.CountersReply.Bytes,
		}
		if !reflect.DeepEqual(mine, other) {
			t.Errorf("%+v:\nmine  %v\nother %v", c, mine, other)
		}
		for _, pair := range []struct {
			mine  ctnetlink.Tuple
			other conntrack.Tuple
		}{{f.Orig, o.TupleOrig}, {f.Reply, o.TupleReply}} {
			if pair.mine.Src != engine.AddrFrom(pair.other.IP.SourceAddress) ||
				pair.mine.Dst != engine.AddrFrom(pair.other.IP.DestinationAddress) {
				t.Errorf("%+v: addresses differ", c)
			}
			if pair.mine.Has&ctnetlink.HasPorts != 0 &&
				(pair.mine.Sport != pair.other.Proto.SourcePort || pair.mine.Dport != pair.other.Proto.DestinationPort) {
				t.Errorf("%+v: ports differ", c)
			}
		}
	}
}

// FuzzDecode feeds messages that are not the kernel's. What decodes must be complete, and the
// shortcut for usual tuples must say what the walk says.
func FuzzDecode(f *testing.F) {
	for _, c := range cttest.Samples {
		f.Add(c.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var mine ctnetlink.Flow
		for len(b) > 0 {
			var m nlattr.Message
			if m, b = nlattr.NextMessage(b); m.Type == nlattr.Malformed || !mine.Decode(&m) {
				continue
			}
			if mine.Orig.Has&(ctnetlink.HasIP|ctnetlink.HasProto) != ctnetlink.HasIP|ctnetlink.HasProto {
				t.Error("a connection without addresses or protocol was accepted")
			}
			for attrs := m.Body[ctnetlink.HeaderLen:]; len(attrs) > 0; {
				var kind uint16
				var v []byte
				if kind, v, attrs = nlattr.Next(attrs); kind != ctnetlink.CTATupleOrig {
					continue
				}
				var short, long ctnetlink.Tuple
				if ctnetlink.Shortcut(&short, v) && (!ctnetlink.LongWay(&long, v) || short != long) {
					t.Errorf("the shortcut reads %+v, the walk %+v", short, long)
				}
			}
		}
	})
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	var f ctnetlink.Flow
	for _, c := range cttest.Samples {
		b := c.Bytes()
		if n := testing.AllocsPerRun(100, func() {
			m, _ := nlattr.NextMessage(b)
			f.Decode(&m)
		}); n != 0 {
			t.Errorf("%v allocations for %+v", n, c)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	msg := cttest.DestroyTCP.Bytes()
	var f ctnetlink.Flow
	b.ReportAllocs()
	b.ReportMetric(float64(len(msg)), "octets/event")
	for b.Loop() {
		m, _ := nlattr.NextMessage(msg)
		if !f.Decode(&m) {
			b.Fatal("does not decode")
		}
	}
}
