package ipfix

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net"
	"os"
	"strings"
	"testing"
)

// TestULOGD2Layout sends the flows of recorded ulogd2 datagrams through the output and compares
// octets: all of them but the export time, which is the moment's, and the sequence number, where
// ulogd2 counts a message's own records.
func TestULOGD2Layout(t *testing.T) {
	for _, file := range []string{"datagrams-2.0.8-once.hex", "datagrams-2.0.9git-once.hex"} {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile("testdata/" + file)
			if err != nil {
				t.Fatal(err)
			}
			c := listenUDP(t)
			port := c.LocalAddr().(*net.UDPAddr).AddrPort().String()
			r := start(t, &feed{asct: true}, "host", port, "proto", "udp", "oid", "1234", "layout", "ulogd2", "mtu", "512", "flush_interval", "200ms")
			var sent uint32
			for i, line := range strings.Fields(string(text)) {
				want, err := hex.DecodeString(line)
				if err != nil {
					t.Fatal(err)
				}
				flows := ulogd2Flows(want)
				r.give(flows...)
				got := datagram(t, c)
				if seq := binary.BigEndian.Uint32(got[8:]); seq != sent {
					t.Errorf("message %d has sequence number %d, want %d", i, seq, sent)
				}
				sent += uint32(len(flows))
				copy(want[4:12], got[4:12])
				if !bytes.Equal(got, want) {
					t.Errorf("message %d differs:\n got %x\nwant %x", i, got, want)
				}
			}
			r.end()
		})
	}
}

// ulogd2Flows takes the flows out of a datagram of ulogd2's, by the layout that its template
// states.
func ulogd2Flows(msg []byte) (flows []flow) {
	p := msg[16:]
	if p[1] == 2 {
		p = p[48:]
	}
	for p = p[4:]; len(p) >= 33; p = p[33:] {
		flows = append(flows, flow{
			src: net.IP(p[:4]).String(), dst: net.IP(p[4:8]).String(),
			pkts: uint64(binary.BigEndian.Uint32(p[8:])), octets: uint64(binary.BigEndian.Uint32(p[12:])),
			start: int64(binary.BigEndian.Uint32(p[16:])) * 1e9, end: int64(binary.BigEndian.Uint32(p[20:])) * 1e9,
			sport: binary.BigEndian.Uint16(p[24:]), dport: binary.BigEndian.Uint16(p[26:]),
			proto: p[28], mark: binary.BigEndian.Uint32(p[29:]),
		})
	}
	return flows
}
