package decoders

import (
	"encoding/binary"
	"fmt"
)

// domainOf returns the observation domain of an IPFIX message, the source id of a NetFlow v9 one.
func domainOf(msg []byte) uint32 {
	if binary.BigEndian.Uint16(msg) == 9 {
		return binary.BigEndian.Uint32(msg[16:])
	}
	return binary.BigEndian.Uint32(msg[12:])
}

// announcesOptions reports whether one of the IPFIX messages has a set of options templates.
func announcesOptions(messages [][]byte) bool {
	for _, msg := range messages {
		if binary.BigEndian.Uint16(msg) != 10 {
			continue
		}
		for p := msg[16:]; len(p) > 0; p = p[binary.BigEndian.Uint16(p[2:]):] {
			if binary.BigEndian.Uint16(p) == 3 {
				return true
			}
		}
	}
	return false
}

// uptimes adds NetFlow v9's times as the milliseconds that IPFIX has. boot is when uptimes were 0.
func uptimes(f fields, id uint16, v []byte, boot int64) {
	switch id {
	case 22:
		f["flowStartMilliseconds"] = fmt.Sprint(boot + int64(binary.BigEndian.Uint32(v)))
	case 21:
		f["flowEndMilliseconds"] = fmt.Sprint(boot + int64(binary.BigEndian.Uint32(v)))
	}
}
