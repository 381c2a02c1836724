package netflow9

import (
	"bytes"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/netsampler/goflow2/v2/decoders/netflow"

	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// reader is a collector that decodes with goflow2.
type reader struct {
	*net.UDPConn
	templates netflow.NetFlowTemplateSystem
	sequence  uint32 // of the next message
}

func newReader(t *testing.T) *reader {
	t.Helper()
	return &reader{UDPConn: listen(t), templates: netflow.CreateTemplateSystem()}
}

// next returns the next message; nil if none comes within the time. Each must have the number after
// the one before.
func (r *reader) next(t *testing.T, patience time.Duration) *netflow.NFv9Packet {
	t.Helper()
	buf := make([]byte, 65536)
	r.SetReadDeadline(time.Now().Add(patience))
	n, err := r.Read(buf)
	if err != nil {
		return nil
	}
	var p netflow.NFv9Packet
	if err := netflow.DecodeMessageVersion(bytes.NewBuffer(buf[:n]), r.templates, &p, nil); err != nil {
		t.Fatal(err)
	}
	if p.SequenceNumber != r.sequence {
		t.Errorf("message %d says that it is %d", r.sequence, p.SequenceNumber)
	}
	r.sequence++
	return &p
}

// TestBalance shares flows between two collectors: each flow goes to one of them, with both
// directions, and each collector's sequence has no gap.
func TestBalance(t *testing.T) {
	nstest.Need(t, "native") // qemu hands the length of segments (UDP_SEGMENT) to the kernel in the wrong byte order
	const flows = 600
	readers := []*reader{newReader(t), newReader(t)}
	run(t, &source{n: flows, gate: make(chan bool)}, "mode", "balance", "host", fmt.Sprintf("%s,%s", readers[0].LocalAddr(), readers[1].LocalAddr()))
	at := map[string]int{} // the collector of each flow, by its port
	records := 0
	for i, r := range readers {
		share := 0
		for p := r.next(t, 200*time.Millisecond); p != nil; p = r.next(t, 200*time.Millisecond) {
			for _, fs := range p.FlowSets {
				data, ok := fs.(netflow.DataFlowSet)
				if !ok {
					continue
				}
				for _, rec := range data.Records {
					share++
					v := numbers(rec.Values)
					port := fmt.Sprint(max(v[7], v[11]), min(v[7], v[11]))
					if before, ok := at[port]; ok && before != i {
						t.Errorf("the flow with ports %s is at both collectors", port)
					}
					at[port] = i
				}
			}
		}
		if share < flows/2 {
			t.Errorf("collector %d got %d of %d records", i, share, 2*flows)
		}
		records += share
	}
	if records != 2*flows {
		t.Errorf("%d records, want %d", records, 2*flows)
	}
}

// TestRefresh waits until templates and options templates have come three times, first by number
// and then by time.
func TestRefresh(t *testing.T) {
	for _, how := range []string{"template_refresh_packets = 2", "template_refresh = 0.2"} {
		t.Run(how, func(t *testing.T) {
			r := newReader(t)
			for i := range 200 {
				stacktest.Feed(t.Name(), map[string]string{"oob.family": "2", "orig.ip.saddr": "10.0.0.1", "orig.ip.daddr": "192.0.2.1", "orig.ip.protocol": "6", "orig.raw.pktcount": fmt.Sprint(i + 1), "orig.raw.pktlen": "60"})
			}
			stacktest.Start(t, fmt.Sprintf(`stack = ["rows:ROWS,out:NETFLOW9"]
[rows]
feed = %q
live = true
[out]
host = [%q]
sampling = 100
mtu = 128
flush_interval = 0
%s
`, t.Name(), r.LocalAddr(), how))
			templates, options := 0, 0
			for templates < 3 || options < 3 {
				p := r.next(t, 10*time.Second)
				if p == nil {
					t.Fatalf("after %d messages the template has come %d times, that of sampling %d times", r.sequence, templates, options)
				}
				for _, fs := range p.FlowSets {
					switch fs := fs.(type) {
					case netflow.TemplateFlowSet:
						templates++
					case netflow.NFv9OptionsTemplateFlowSet:
						for _, tpl := range fs.Records {
							if tpl.Options[0].Type == 34 {
								options++
							}
						}
					}
				}
			}
		})
	}
}
