package decoders

import (
	"maps"
	"slices"
	"testing"
)

func TestIPFIX(t *testing.T) {
	t.Parallel()
	// go-ipfix knows no reduced size (RFC 7011 section 6.2) and crashes on one.
	whole := slices.Clone(matrix)
	for i := range whole {
		whole[i].set += "\ntcp_flags_octets = 2"
	}
	matrixOf(t, matrix, export(t, "IPFIX", matrix), []program{
		{"tshark", readTshark, nil},
		{"nfdump", readNfdump, nil},
		{"nfacctd", readNfacctd, nil},
		{"ipfixDump", readIPFIXDump, nil},
		{"goflow2", readGoflow2, nil},
		{"go-ipfix", readGoIPFIX, export(t, "IPFIX", whole)},
	}, "../../plugins/output/ipfix/CONFORMANCE.md")
}

func TestNetFlow9(t *testing.T) {
	t.Parallel()
	cells := asNetFlow9(matrix)
	matrixOf(t, cells, export(t, "NETFLOW9", cells), []program{
		{"tshark", readTshark, nil},
		{"nfdump", readNfdump, nil},
		{"nfacctd", readNfacctd, nil},
		{"goflow2", readGoflow2, nil},
	}, "../../plugins/output/netflow9/CONFORMANCE.md")
}

// asNetFlow9 returns the cells that NetFlow v9 has, as it has them.
func asNetFlow9(all []cell) (cells []cell) {
	for _, c := range all {
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
	return cells
}
