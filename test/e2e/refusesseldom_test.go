// A collector on another host, which refuses a datagram a second at most (Linux, icmp_ratelimit); on the loopback it
// refuses each.

package e2e

import (
	"context"
	"encoding/binary"
	"net"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// TestTemplatesAfterTheLastRefusal: a collector that comes back is told the templates, be it that those told after the
// last refusal met nobody.
func TestTemplatesAfterTheLastRefusal(t *testing.T) {
	nstest.Need(t, "root", "veth")
	for _, o := range datagramOutputs[:2] { // version 5 has none
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			ns, far := nstest.New(t), nstest.New(t)
			nstest.Veth(t, ns, far, "a0", "10.9.0.1/24", "b0", "10.9.0.2/24")
			d := ns.Start(t, daemon+" -v -l 3 -c "+write(t, "ulogd.toml", `
stack = "gen:GEN,out:`+o.name+`"
[gen]
rate = 200
count = 1000000
[out]
host = "10.9.0.2:9995"
flush_interval = 0.05
template_refresh = 3600
template_refresh_packets = 1000000
`+o.options))
			d.WaitOutput("is away: its host refuses", time.Minute)
			for phase := range 4 { // between two refusals
				time.Sleep(1500*time.Millisecond + time.Duration(phase)*250*time.Millisecond)
				toldAgain(t, far)
			}
			d.Stop(syscall.SIGTERM)
		})
	}
}

// toldAgain listens at the collector's port until a template comes, which version 9 has in sets 0 and 1 and IPFIX in
// sets 2 and 3.
func toldAgain(t *testing.T, far *nstest.NS) {
	t.Helper()
	var c net.PacketConn
	far.Do(t, func() {
		var err error
		if c, err = new(net.ListenConfig).ListenPacket(context.Background(), "udp", "10.9.0.2:9995"); err != nil {
			t.Fatal(err)
		}
	})
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	buf := make([]byte, 1<<16)
	for n := 0; ; n++ {
		size, _, err := c.ReadFrom(buf)
		if err != nil {
			t.Fatalf("of %d messages none had a template: %v", n, err)
		}
		header := 16
		if binary.BigEndian.Uint16(buf) == 9 {
			header = 20
		}
		if size >= header+2 && binary.BigEndian.Uint16(buf[header:]) <= 3 {
			return
		}
	}
}
