package decoders

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/vmware/go-ipfix/pkg/collector"
	"github.com/vmware/go-ipfix/pkg/entities"
	"github.com/vmware/go-ipfix/pkg/registry"
)

// readGoIPFIX decodes with go-ipfix's collector.
func readGoIPFIX(t *testing.T, messages [][]byte) (records []fields) {
	registry.LoadRegistry()
	if err := registry.InitNewRegistry(netfilter); err != nil {
		t.Fatal(err)
	}
	for _, e := range elements {
		if e.pen == netfilter {
			teach(t, e)
		}
	}
	cp, err := collector.InitCollectingProcess(collector.CollectorInput{Address: "127.0.0.1:0", Protocol: "udp", MaxBufferSize: 65535})
	if err != nil {
		t.Fatal(err)
	}
	go cp.Start()
	defer cp.Stop()
	for cp.GetAddress() == nil {
		time.Sleep(time.Millisecond)
	}
	c, err := net.Dial("udp4", cp.GetAddress().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, msg := range apart(messages) {
		if _, err := c.Write(msg); err != nil {
			t.Fatal(err)
		}
		select {
		case m := <-cp.GetMsgChan():
			for _, r := range m.GetSet().GetRecords() {
				if m.GetSet().GetSetType() == entities.Data {
					records = append(records, goIPFIXFields(r.GetOrderedElementList()))
				}
			}
		case <-time.After(500 * time.Millisecond): // it refuses the message
		}
	}
	return records
}

// apart splits messages so that each has one set and each set of templates one template: go-ipfix
// reads no others. Options records are left out, which it refuses.
func apart(messages [][]byte) (out [][]byte) {
	options := map[string]bool{} // by domain and template
	for _, msg := range messages {
		for p := msg[16:]; len(p) > 0; {
			id, n := binary.BigEndian.Uint16(p), int(binary.BigEndian.Uint16(p[2:]))
			bodies := [][]byte{p[4:n]}
			switch {
			case id == 2:
				bodies = templates(p[4:n])
			case id == 3:
				for body := p[4:n]; len(body) > 0; body = body[optionsTemplate(body):] {
					options[string(msg[12:16])+string(body[:2])] = true
				}
				bodies = nil
			case options[string(msg[12:16])+string(p[:2])]:
				bodies = nil
			}
			for _, body := range bodies {
				m := append(bytes.Clone(msg[:16]), p[:4]...)
				binary.BigEndian.PutUint16(m[18:], uint16(4+len(body)))
				m = append(m, body...)
				binary.BigEndian.PutUint16(m[2:], uint16(len(m)))
				out = append(out, m)
			}
			p = p[n:]
		}
	}
	return out
}

// templates splits the body of a template set.
func templates(p []byte) (out [][]byte) {
	for len(p) > 0 {
		n := 4 + specifiers(p[4:], binary.BigEndian.Uint16(p[2:]))
		out, p = append(out, p[:n]), p[n:]
	}
	return out
}

// optionsTemplate returns the octets of the options template at the begin of p.
func optionsTemplate(p []byte) int { return 6 + specifiers(p[6:], binary.BigEndian.Uint16(p[2:])) }

// specifiers returns the octets of n field specifiers.
func specifiers(p []byte, n uint16) (octets int) {
	for range n {
		if p[octets]&0x80 != 0 { // with an enterprise number
			octets += 4
		}
		octets += 4
	}
	return octets
}

// teach tells go-ipfix of an element that is not in its registry.
func teach(t *testing.T, e element) {
	t.Helper()
	types := map[int]entities.IEDataType{1: entities.Unsigned8, 2: entities.Unsigned16, 4: entities.Unsigned32, 8: entities.Unsigned64}
	kind, size := types[e.size], uint16(e.size)
	switch e.kind {
	case text:
		kind, size = entities.String, entities.VariableLength
	case raw:
		kind = entities.OctetArray
	}
	if err := registry.PutInfoElement(*entities.NewInfoElement(e.name, e.id, kind, e.pen, size), e.pen); err != nil {
		t.Fatal(err)
	}
}

func goIPFIXFields(list []entities.InfoElementWithValue) fields {
	f := fields{}
	for _, v := range list {
		switch v.GetDataType() {
		case entities.Unsigned8:
			f[v.GetName()] = fmt.Sprint(v.GetUnsigned8Value())
		case entities.Unsigned16:
			f[v.GetName()] = fmt.Sprint(v.GetUnsigned16Value())
		case entities.Unsigned32:
			f[v.GetName()] = fmt.Sprint(v.GetUnsigned32Value())
		case entities.Unsigned64, entities.DateTimeMilliseconds:
			f[v.GetName()] = fmt.Sprint(v.GetUnsigned64Value())
		case entities.MacAddress:
			f[v.GetName()] = v.GetMacAddressValue().String()
		case entities.String:
			f[v.GetName()] = v.GetStringValue()
		case entities.Ipv4Address, entities.Ipv6Address:
			f[v.GetName()] = v.GetIPAddressValue().String()
		}
	}
	return f
}
