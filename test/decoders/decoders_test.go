package decoders

import (
	"maps"
	"testing"
)

func TestIPFIX(t *testing.T) {
	t.Parallel()
	matrixOf(t, matrix, export(t, "IPFIX", matrix), []program{
		{"tshark", readTshark},
		{"nfdump", readNfdump},
		{"nfacctd", readNfacctd},
		{"ipfixDump", readIPFIXDump},
		{"goflow2", readGoflow2},
		{"go-ipfix", readGoIPFIX},
	}, "../../plugins/output/ipfix/CONFORMANCE.md")
}

func TestNetFlow9(t *testing.T) {
	t.Parallel()
	var cells []cell
	for _, c := range matrix {
		if c.noV9 {
			continue
		}
		c.want = append([]fields(nil), c.want...)
		for i := range c.want {
			c.want[i] = maps.Clone(c.want[i])
			if v, ok := c.want[i]["icmpTypeCodeIPv6"]; ok { // one element for both
				c.want[i]["icmpTypeCodeIPv4"] = v
				delete(c.want[i], "icmpTypeCodeIPv6")
			}
			maps.DeleteFunc(c.want[i], func(name, _ string) bool { return enterprise(name) })
		}
		cells = append(cells, c)
	}
	matrixOf(t, cells, export(t, "NETFLOW9", cells), []program{
		{"tshark", readTshark},
		{"nfdump", readNfdump},
		{"nfacctd", readNfacctd},
		{"goflow2", readGoflow2},
	}, "../../plugins/output/netflow9/CONFORMANCE.md")
}
