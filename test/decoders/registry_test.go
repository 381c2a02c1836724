package decoders

import (
	"testing"

	"github.com/vmware/go-ipfix/pkg/entities"
	"github.com/vmware/go-ipfix/pkg/registry"

	"ulogd/engine"
	table "ulogd/engine/element"
)

// TestRegistry holds the exporters' table of elements against the copy of IANA's registry that
// go-ipfix has.
func TestRegistry(t *testing.T) {
	registry.LoadRegistry()
	types := map[engine.DataType]entities.IEDataType{
		engine.OctetArray: entities.OctetArray, engine.Unsigned8: entities.Unsigned8, engine.Unsigned16: entities.Unsigned16, engine.Unsigned32: entities.Unsigned32,
		engine.Unsigned64: entities.Unsigned64, engine.MACAddress: entities.MacAddress, engine.Text: entities.String,
		engine.DateTimeSeconds: entities.DateTimeSeconds, engine.DateTimeMilliseconds: entities.DateTimeMilliseconds,
		engine.DateTimeMicroseconds: entities.DateTimeMicroseconds, engine.DateTimeNanoseconds: entities.DateTimeNanoseconds,
		engine.IPv4Address: entities.Ipv4Address, engine.IPv6Address: entities.Ipv6Address,
	}
	for _, e := range table.All() {
		theirs, err := registry.GetInfoElementFromID(e.ID, 0)
		if err != nil {
			t.Errorf("%s: %v", e.Name, err)
			continue
		}
		octets := e.Length()
		if e.Type == engine.OctetArray {
			octets = engine.VariableLength // some are fixed by their text alone, as label stack sections are
		}
		if theirs.Name != e.Name || theirs.DataType != types[e.Type] || theirs.Len != octets {
			t.Errorf("element %d is %q of type %d and %d octets, not %q of %d and %d octets", e.ID, theirs.Name, theirs.DataType, theirs.Len, e.Name, types[e.Type], e.Length())
		}
		if theirs.ElementId != e.ID {
			t.Errorf("%s is %d, not %d", e.Name, theirs.ElementId, e.ID)
		}
	}
}
