package netflow9

import (
	"testing"

	"ulogd/test/stacktest"
)

// TestNoAllocations hands the output the same batch again and again. Templates, which are made anew
// each time they are announced, are left out.
func TestNoAllocations(t *testing.T) {
	c := listen(t)
	flow := stacktest.Record{
		{Name: "oob.family", Value: "2"},
		{Name: "orig.ip.saddr", Value: "10.0.0.1"},
		{Name: "orig.ip.daddr", Value: "192.0.2.1"},
		{Name: "orig.ip.protocol", Value: "6"},
		{Name: "orig.l4.sport", Value: "40000"},
		{Name: "orig.l4.dport", Value: "443"},
		{Name: "orig.raw.pktcount", Value: "5"},
		{Name: "orig.raw.pktlen", Value: "500"},
		{Name: "reply.raw.pktcount", Value: "7"},
		{Name: "reply.raw.pktlen", Value: "7000"},
	}
	setup := stacktest.Setup{Input: "NFCT", Output: "NETFLOW9", Options: map[string]string{"host": c.LocalAddr().String(), "buffer": "256KiB", "rate": "0", "template_refresh_packets": "1000000"}, Shape: []stacktest.Record{flow}}
	if n := setup.Allocations(t); n != 0 {
		t.Errorf("%v allocations for each batch", n)
	}
}
