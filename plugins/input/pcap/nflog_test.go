// Captures of netfilter's log: what the log knew becomes keys, and no name of this machine's.

package pcap

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	_ "ulogd/plugins/filter/ifindex"
	"ulogd/test/nstest"
	pt "ulogd/test/packettest"
	"ulogd/test/stacktest"
)

// logs are packets of a log with all that it may tell, and with nothing.
func logs() (packets []pt.Packet) {
	udp := []pt.Layer{pt.IPv4{}, pt.UDP{Src: 1, Dst: 2}, pt.Raw("payload")}
	hardware := pt.Build(pt.Ethernet{Dst: mac(1), Src: mac(2), Type: pt.TypeIPv4})
	address := mac(2)
	for _, big := range []bool{false, true} {
		for _, head := range []pt.NFLOG{
			{
				In: 1, Out: 2, Prefix: "dropped: ", Hook: 2, Mark: 0x1234, UID: 1000, GID: 100, Seq: 7, HWType: 1,
				HWHeader: hardware,
				HWAddr:   address[:], BigEndian: big,
			},
			{In: 1, Prefix: "x", Hook: 3, UID: 33, BigEndian: big},
			{Hook: 4, BigEndian: big},
		} {
			packets = append(packets, pt.Packet{
				Time: time.Unix(int64(len(packets)), 0),
				Data: pt.Build(append([]pt.Layer{head}, udp...)...),
			})
		}
	}
	return packets
}

func TestLogsInAFile(t *testing.T) {
	nstest.Need(t, "tool:tshark")
	file := writeCapture(t, linkNFLOG, logs())
	text, err := exec.Command("tshark", "-r", file, "-T", "fields", "-E", "separator=;", "-e", "nflog.prefix", "-e",
		"nflog.hook", "-e", "nflog.uid",
		"-e", "nflog.gid", "-e", "nflog.ifindex_indev", "-e", "nflog.ifindex_outdev", "-e", "udp.dstport").Output()
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"oob.prefix", "oob.hook", "oob.uid", "oob.gid", "oob.ifindex_in", "oob.ifindex_out", "udp.dport"}
	var want []string
	for line := range strings.Lines(string(text)) {
		var fields []string
		for i, v := range strings.Split(strings.TrimSuffix(line, "\n"), ";") {
			if v == "" {
				continue
			}
			fields = append(fields, names[i]+"="+v)
		}
		want = append(want, strings.Join(fields, " "))
	}
	keys := `"` + strings.Join(names, `", "`) + `"`
	stacktest.Run(t, fmt.Sprintf(`
[global]
stack = "in:PCAP,base:BASE,names:IFINDEX,out:RECORD"
[in]
file = %q
[out]
name = %q
keys = [%s, "oob.mark", "raw.mac", "raw.type", "raw.mac.saddr", "oob.seq.local", "oob.in", "oob.out"]
`, file, t.Name(), keys))
	got := stacktest.Recorded(t.Name())
	if len(got) != len(want) || len(want) != 6 {
		t.Fatalf("%d records of %d", len(got), len(want))
	}
	for i := range got {
		// tshark reads attributes in the order of little-endian machines only, and has no fields for these.
		also := " oob.in= oob.out="
		if i%3 == 0 {
			also = " oob.mark=4660 raw.mac=0200000000010200000000020800 raw.type=1 raw.mac.saddr=020000000002 " +
				"oob.seq.local=7 oob.in= oob.out="
		}
		if got[i] != want[i%3]+also {
			t.Errorf("record %d\n%s\n%s", i, got[i], want[i%3]+also)
		}
	}
}
