// NetFlow v5 and v9 tell times as milliseconds of 32 bits: a collector shows those of a file
// however far they are apart.

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ulogd/test/nstest"
	"ulogd/test/packettest"
)

func TestTimesOfAFileInNfdump(t *testing.T) {
	nstest.Need(t, "tool:nfcapd", "tool:nfdump")
	first := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	times := []time.Duration{0, -400 * time.Millisecond} // of packets as they stand in the file, a flow each
	for _, after := range []time.Duration{time.Second, 48 * day, 51 * day, 111 * day} {
		for i := range 40 { // more than a moment's outliers, which FLOW does not believe
			times = append(times, after+time.Duration(i)*100*time.Millisecond)
		}
	}
	var packets []packettest.Packet
	want := map[string]bool{}
	for i, after := range times {
		at, port := first.Add(after), uint16(1000+i)
		data := packettest.Build(packettest.Ethernet{}, packettest.IPv4{}, packettest.UDP{Src: port, Dst: 53}, packettest.Raw("?"))
		packets = append(packets, packettest.Packet{Time: at, Data: data})
		stamp := at.Format("2006-01-02 15:04:05.000")
		want[fmt.Sprint(port, " ", stamp, " ", stamp)] = true
	}
	file := filepath.Join(t.TempDir(), "times.pcap")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := packettest.WritePcap(f, packettest.LinkEthernet, packettest.Pcap{}, packets); err != nil {
		t.Fatal(err)
	}
	f.Close()
	for _, output := range []string{"NETFLOW9", "NETFLOW5"} {
		t.Run(output, func(t *testing.T) {
			ns := nstest.New(t)
			collector := startNfcapd(t, ns)
			config := write(t, "ulogd.toml", `
stack = "file:PCAP,base:BASE,flow:FLOW,out:`+output+`"
[file]
file = "`+file+`"
[out]
host = "127.0.0.1:9995"
`)
			ns.Run(t, daemon+" -c "+config)
			if got, gaps := collector.flows(t, ns); got != len(times) || gaps != 0 {
				t.Errorf("nfcapd has %d of %d flows, and misses messages %d times", got, len(times), gaps)
			}
			out := ns.Run(t, "env TZ=UTC nfdump -q -6 -R "+collector.dir, "-o", "fmt:%sp %ts %te")
			got := map[string]bool{}
			for line := range strings.Lines(out) {
				got[strings.Join(strings.Fields(line), " ")] = true
			}
			for line := range want {
				if !got[line] {
					t.Errorf("nfdump has no flow %q:\n%s", line, out)
				}
			}
		})
	}
}
