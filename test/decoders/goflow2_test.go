package decoders

import (
	"bytes"
	"strings"
	"testing"

	"github.com/netsampler/goflow2/v2/decoders/netflow"
)

// readGoflow2 decodes with goflow2's library.
func readGoflow2(t *testing.T, messages [][]byte) (records []fields) {
	systems := map[uint32]netflow.NetFlowTemplateSystem{} // by domain
	for _, msg := range messages {
		var p9 netflow.NFv9Packet
		var p10 netflow.IPFIXPacket
		system := systems[domainOf(msg)]
		if system == nil {
			system = netflow.CreateTemplateSystem()
			systems[domainOf(msg)] = system
		}
		if err := netflow.DecodeMessageVersion(bytes.NewBuffer(msg), system, &p9, &p10); err != nil {
			t.Fatalf("goflow2: %v", err)
		}
		for _, set := range append(p9.FlowSets, p10.FlowSets...) {
			switch set := set.(type) {
			case netflow.DataFlowSet:
				for _, r := range set.Records {
					records = append(records, goflow2Fields(r.Values, &p9))
				}
			case netflow.OptionsDataFlowSet:
				for _, r := range set.Records {
					if p9.Version == 9 { // scopes are no elements there
						r.ScopesValues = nil
					}
					records = append(records, goflow2Fields(append(r.ScopesValues, r.OptionsValues...), &p9))
				}
			}
		}
	}
	return records
}

func goflow2Fields(values []netflow.DataField, p *netflow.NFv9Packet) fields {
	f := fields{}
	for _, v := range values {
		data, _ := v.Value.([]byte)
		if e, ok := lookup(v.Pen, v.Type); ok {
			f[e.name] = strings.TrimRight(e.show(data), "\x00") // NetFlow v9 has names of fixed length
		}
		uptimes(f, v.Type, data, int64(p.UnixSeconds)*1000-int64(p.SystemUptime))
	}
	return f
}
