package nflog

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/nlattr"
	"ulogd/test/stacktest"
)

// record runs datagrams through the input and returns its records.
func record(t *testing.T, settings, keys string, datagrams ...[]byte) (*stacktest.Daemon, []string) {
	t.Helper()
	d, send := start(t, settings, "o:RECORD", "[o]\nname = \""+t.Name()+"\"\n"+keys)
	for _, b := range datagrams {
		send(b)
	}
	d.Stop()
	return d, stacktest.Recorded(t.Name())
}

// everything has all attributes that there are.
func everything(b []byte) []byte {
	return message(b, func(b []byte) []byte {
		b = nlattr.Append(b, attrPacketHdr, []byte{0x86, 0xdd, 2, 0})
		b = nlattr.Append32(b, attrMark, 42)
		b = nlattr.Append(b, attrTimestamp, append(be.AppendUint64(nil, 1795226048), be.AppendUint64(nil, 651231)...))
		b = nlattr.Append32(b, attrIfIn, 2)
		b = nlattr.Append32(b, attrIfOut, 3)
		b = nlattr.Append32(b, attrPhysIn, 4)
		b = nlattr.Append32(b, attrPhysOut, 5)
		b = nlattr.Append(b, attrHWAddr, []byte{0, 6, 0, 0, 2, 0, 0, 0, 0, 2, 0xff, 0xff})
		b = nlattr.Append(b, attrPayload, []byte("packet"))
		b = nlattr.Append(b, attrPrefix, []byte("IN: \x00"))
		b = nlattr.Append32(b, attrUID, 1000)
		b = nlattr.Append32(b, attrGID, 1001)
		b = nlattr.Append32(b, attrSeq, 0)
		b = nlattr.Append32(b, attrSeqGlobal, 8)
		b = nlattr.Append16(b, attrHWType, 1)
		b = nlattr.Append16(b, attrHWLen, 4)
		b = nlattr.Append(b, attrHWHeader, []byte{1, 2, 3, 4, 5, 6}) // longer than its length says
		b = nlattr.AppendNest(b, attrCT, func(b []byte) []byte {
			b = nlattr.Append32(b, ctaID, 77)
			b = nlattr.Append32(b, ctaStatus, 0x18e)
			b = nlattr.Append16(b, ctaZone, 9)
			return nlattr.Append32(b, ctaMark, 5)
		})
		b = nlattr.AppendNest(b, attrVLAN, func(b []byte) []byte {
			b = nlattr.Append16(b, 1, 0x8100)
			return nlattr.Append16(b, vlanTCI, 3<<13|5)
		})
		return nlattr.Append(b, 999, []byte("of a later kernel"))
	})
}

func TestEveryAttributeBecomesItsKey(t *testing.T) {
	_, got := record(t, "seq_local = true\nseq_global = true\nnumeric_label = 44", "extra_keys = true", everything(nil))
	want := "raw.mac=01020304 raw.pkt=7061636b6574 raw.pktlen=6 raw.pktcount=1 oob.prefix=IN:  oob.time.sec=1795226048 oob.time.usec=651231 " +
		"oob.mark=42 oob.ifindex_in=2 oob.ifindex_out=3 oob.hook=2 raw.mac_len=4 oob.seq.local=0 oob.seq.global=8 oob.family=2 oob.protocol=34525 " +
		"oob.uid=1000 oob.gid=1001 raw.label=44 raw.type=1 raw.mac.saddr=020000000002 raw.mac.addrlen=6 " +
		"oob.ifindex_physin=4 oob.ifindex_physout=5 oob.vlan.id=5 ct.id=77 ct.mark=5 ct.status=398 ct.zone=9"
	if len(got) != 1 || got[0] != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "\n"), want)
	}
}

// TestNumbersAreShownWhereAskedFor: the kernel is always asked for them.
func TestNumbersAreShownWhereAskedFor(t *testing.T) {
	_, got := record(t, "", "", logged(nil, 0))
	if len(got) != 1 || strings.Contains(got[0], "oob.seq") {
		t.Errorf("numbers without seq_local and seq_global: %s", got)
	}
}

func TestLiesCostThemselvesAlone(t *testing.T) {
	var lies []byte
	for _, attrs := range [][]byte{
		{3, 0, 1, 0},             // shorter than its header
		{200, 0, 9, 0, 1},        // longer than the message
		{6, 0, 12, 0, 1, 2},      // a number of two octets
		{8, 0, 3, 0, 1, 2, 3, 4}, // half a time
		{6, 0, 8, 0, 0, 6},       // an address that is not there
	} {
		lies = message(lies, func(b []byte) []byte { return append(b, attrs...) })
		for len(lies)%4 != 0 {
			lies = append(lies, 0)
		}
	}
	lies = nlattr.AppendMessage(lies, msgPacket, 0, 0, func(b []byte) []byte { return append(b, 2) }) // no header
	for len(lies)%4 != 0 {
		lies = append(lies, 0)
	}
	all := append(bytes.Clone(lies), logged(nil, 0)...)
	cutOff := logged(nil, 1)
	d, got := record(t, "", "", all, cutOff[:len(cutOff)-9], []byte{1, 2, 3}, logged(nil, 1))
	if len(got) != 2 {
		t.Errorf("%d records of 2: %s", len(got), got)
	}
	if n := d.Count("in", "malformed"); n != 8 {
		t.Errorf("%d messages counted as malformed, 8 were", n)
	}
}

func TestGapsAreLosses(t *testing.T) {
	var b []byte
	for _, seq := range []uint32{2, 3, 10, 11} { // 0 and 1 went before the first, then 4 to 9
		b = logged(b, seq)
	}
	d, got := record(t, "", "", b)
	if n := d.Count("in", "sequence"); len(got) != 4 || n != 8 {
		t.Errorf("%d records, %d lost; want 4 and 8", len(got), n)
	}
}

// TestDatagramsLargerThanABatch: the rest goes into the next batches, none of it is lost or
// repeated.
func TestDatagramsLargerThanABatch(t *testing.T) {
	var datagrams [][]byte
	var seq uint32
	for _, n := range []int{550, 1, 255, 256, 257} {
		var b []byte
		for range n {
			b = logged(b, seq)
			seq++
		}
		datagrams = append(datagrams, b)
	}
	d, got := record(t, "seq_local = true", "", datagrams...)
	for i, line := range got {
		if !strings.Contains(line, fmt.Sprintf(" oob.seq.local=%d ", i)) {
			t.Fatalf("record %d is %s", i, line)
		}
	}
	if len(got) != int(seq) || d.Count("in", "sequence") != 0 {
		t.Errorf("%d records of %d, %d lost", len(got), seq, d.Count("in", "sequence"))
	}
}

// FuzzDatagram wants that whatever comes is decoded or counted, and that every span lies in its
// datagram.
func FuzzDatagram(f *testing.F) {
	f.Add(everything(nil))
	f.Add(logged(logged(nil, 0), 1))
	f.Add([]byte{0, 0, 0, 0})
	_, send := start(f, "seq_local = true", "o:RECORD", "")
	type request struct {
		datagram []byte
		bad      chan string
	}
	requests := make(chan request)
	inside <- func(f *feed, b *batch) {
		for r := range requests {
			n := copy(f.arrived.Data, r.datagram)
			f.rest, f.block, f.next, f.received = f.arrived.Data[:n], f.arrived, 0, 0
			w := filling{b: b, arrays: f.columns.of(b)}
			f.fill(&w)
			b.Fill(w.rows)
			f.rest = nil
			r.bad <- outside(f, b, n)
		}
	}
	send(nil)
	f.Cleanup(func() { close(requests) })
	f.Fuzz(func(t *testing.T, datagram []byte) {
		if len(datagram) > slotSize {
			t.Skip()
		}
		r := request{datagram, make(chan string, 1)}
		requests <- r
		if bad := <-r.bad; bad != "" {
			t.Error(bad)
		}
	})
}

// outside names a span that reaches beyond the first n octets of the block.
func outside(f *feed, b *batch, n int) string {
	a := f.columns.of(b)
	for _, r := range b.Rows() {
		spans := map[string]engine.Span{}
		for bit, s := range map[uint64]engine.Span{
			f.hasMAC: engine.Span(a.rawMAC[r]), f.hasPkt: engine.Span(a.rawPkt[r]), f.hasPrefix: engine.Span(a.prefix[r]), f.hasSaddr: engine.Span(a.rawSaddr[r]),
		} {
			if a.have[r]&bit != 0 {
				spans[fmt.Sprint(bit)] = s
			}
		}
		for name, s := range spans {
			if int(s.Off)+int(s.Len) > n {
				return fmt.Sprintf("row %d, bit %s: %d octets at %d of %d", r, name, s.Len, s.Off, n)
			}
		}
	}
	return ""
}
