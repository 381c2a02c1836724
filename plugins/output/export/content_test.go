package export

import (
	"encoding/binary"
	"testing"

	"ulogd/engine"
	"ulogd/engine/element"
)

// FuzzContent reads messages of any kind: it counts what it can and believes no length.
func FuzzContent(f *testing.F) {
	registry := func(d Dialect) *Templates {
		g := &Templates{Dialect: d, First: 257, Max: 64}
		g.Of(specifyAll([]*engine.Element{element.OctetDeltaCount, element.PacketDeltaCount}), 0)
		g.Of([]Specifier{specify(element.InterfaceName), {element.OctetTotalCount.IE, 4}, specify(element.Reverse(element.PacketTotalCount))}, 0)
		return g
	}
	message := func(sets ...[]byte) []byte {
		msg := make([]byte, IPFIX.Header)
		for _, s := range sets {
			msg = append(msg, s...)
		}
		binary.BigEndian.PutUint16(msg[2:], uint16(len(msg)))
		return msg
	}
	set := func(id uint16, body ...byte) []byte {
		return append(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, id), uint16(4+len(body))), body...)
	}
	fixed := make([]byte, 16)
	fixed[7], fixed[15] = 60, 1
	variable := []byte{2, 'l', 'o', 0, 0, 0, 60, 0, 0, 0, 0, 0, 0, 0, 2}
	f.Add(message(set(257, fixed...), set(258, variable...)))
	f.Add(message(set(258, 255, 255, 255, 'x')))
	f.Add(message(set(258, 255)))
	f.Add(message([]byte{1, 1, 255, 255}))
	f.Add([]byte{0, 10})
	if c := registry(IPFIX).Content(message(set(257, fixed...), set(2, 0, 0, 0, 0), set(258, variable...))); c != (Content{2, 3, 120}) {
		f.Errorf("a message holds %+v", c)
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		for _, d := range []Dialect{IPFIX, NetFlow9} {
			if c := registry(d).Content(msg); c.Records > uint64(len(msg)) {
				t.Errorf("%d records in %d octets", c.Records, len(msg))
			}
		}
	})
}
