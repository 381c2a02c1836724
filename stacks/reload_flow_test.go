// Reload of a machine whose filters hold what has not ended.

package stacks_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "ulogd/plugins/filter/base"
	_ "ulogd/plugins/input/pcap"
	"ulogd/test/packettest"
)

const flowsTo = `
stack = "p:PCAP,b:BASE,f:FLOW,OUT:PRINT"

[p]
file = ["DIR/pipe"]

[f]
key = []

[OUT]
file = "DIR/OUT"
keys = ["orig.raw.pktcount", "orig.l4.dport"]
`

// A flow goes on while the output behind it is exchanged for another, and leaves whole, once.
func TestReloadKeepsFlows(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, err := os.OpenFile(filepath.Join(dir, "pipe"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := runsIn(t, dir, strings.ReplaceAll(flowsTo, "OUT", "before"))
	var capture bytes.Buffer
	packet := packettest.Packet{Time: time.Now(), Data: packettest.Build(
		packettest.Ethernet{}, packettest.IPv4{Src: "10.0.0.1", Dst: "10.0.0.2"},
		packettest.UDP{Src: 1024, Dst: 53}, packettest.Zeros(10),
	)}
	if err := packettest.WritePcap(&capture, 1, packettest.Pcap{},
		[]packettest.Packet{packet, packet, packet}); err != nil {
		t.Fatal(err)
	}
	const header = 24
	half := header + (capture.Len()-header)/3
	send := func(b []byte, packets int64) {
		if _, err := pipe.Write(b); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			for _, s := range r.plan.Machine.Snapshot() {
				if s.ID == "f" && s.In == packets {
					return
				}
			}
			if time.Now().After(end) {
				t.Fatalf("the packets do not arrive\n%s", r.log)
			}
		}
	}
	send(capture.Bytes()[:half], 1)
	r.reload(strings.ReplaceAll(flowsTo, "OUT", "after"))
	for _, s := range r.plan.Machine.Snapshot() {
		for _, f := range s.Figures {
			if f.Name == "table_entries_max" && f.Value != 262144 || f.Name == "table_entries" && f.Value > 1 {
				t.Errorf("afterwards %s is %d", f.Name, f.Value)
			}
		}
	}
	send(capture.Bytes()[half:], 3)
	pipe.Close()
	all := r.ends()
	if n := r.lines("before"); n != 0 {
		t.Errorf("%d records left by the output of before", n)
	}
	text, _ := os.ReadFile(filepath.Join(dir, "after"))
	if got := string(text); got != "orig.raw.pktcount=3 orig.l4.dport=53\n" || all["f"].Out != 1 {
		t.Errorf("the output of afterwards has %q\n%+v", got, all["f"])
	}
}
