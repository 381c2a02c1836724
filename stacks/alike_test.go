package stacks_test

import (
	"net"
	"strings"
	"testing"

	_ "ulogd/plugins/output/ipfix"
	_ "ulogd/plugins/output/netflow9"
)

// Two outputs that a collector takes for one are said to be so; those that differ are not, and an
// output that a reload changes is not taken for its own twin.
func TestExportersAlike(t *testing.T) {
	at := func() string {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c.LocalAddr().String()
	}
	const udp = "\nproto = \"udp\""
	one, other := at(), at()
	for _, c := range []struct {
		name, output, first, second string
		alike                       string // what is said; "": nothing
	}{
		{"IPFIX", "IPFIX", udp, udp, "another output sends to this collector with the same oid"},
		{"IPFIX, another oid", "IPFIX", udp, udp + "\noid = 2", ""},
		{"IPFIX, another source", "IPFIX", udp, udp + "\nsource_address = \"127.0.0.2\"", ""},
		{"IPFIX, another collector", "IPFIX", udp, udp + "\nhost = \"" + other + "\"", ""},
		{"IPFIX over TCP", "IPFIX", "", "", ""}, // each session has templates of its own
		{"NETFLOW9", "NETFLOW9", "", "", "another output sends to this collector with the same source_id"},
		{"NETFLOW9, another id", "NETFLOW9", "", "\nsource_id = 7", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := `
stack = ["g:GEN,a:OUTPUT", "g:GEN,b:OUTPUT"]
[g]
count = 0
rate = 100
`
			output := func(id, options string) string {
				if !strings.Contains(options, "host") {
					options += "\nhost = \"" + one + "\""
				}
				return "[" + id + "]\n" + options + "\n"
			}
			text = strings.ReplaceAll(text, "OUTPUT", c.output) + output("a", c.first)
			r := runs(t, text+output("b", c.second))
			defer r.ends()
			if said := r.log.Has("another output sends"); said != (c.alike != "") || said && !r.log.Has(c.alike) {
				t.Errorf("%s", r.log)
			}
			if c.alike != "" {
				return
			}
			r.reload(text + output("b", c.second+"\nmtu = 600"))
			if r.log.Has("another output sends") {
				t.Errorf("after a reload: %s", r.log)
			}
		})
	}
}
