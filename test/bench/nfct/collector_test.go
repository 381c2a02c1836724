package nfct

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"ulogd/test/nstest"
)

// collect takes IPFIX messages over TCP and counts their data records.
func collect(b *testing.B, ns *nstest.NS) *atomic.Int64 {
	var l net.Listener
	ns.Do(b, func() {
		var err error
		if l, err = net.Listen("tcp", "127.0.0.1:4739"); err != nil {
			b.Fatal(err)
		}
	})
	b.Cleanup(func() { l.Close() })
	n := &atomic.Int64{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				count(bufio.NewReaderSize(c, 1<<20), n)
			}()
		}
	}()
	return n
}

// count adds up the data records of a session until it ends.
func count(r io.Reader, n *atomic.Int64) {
	const header, setHeader, templates = 16, 4, 2 // RFC 7011 section 3
	sizes := map[uint16]int{}                     // of a record, by template
	be := binary.BigEndian
	msg := make([]byte, 1<<16)
	for {
		if _, err := io.ReadFull(r, msg[:header]); err != nil {
			return
		}
		length := int(be.Uint16(msg[2:]))
		if length < header {
			return
		}
		if _, err := io.ReadFull(r, msg[header:length]); err != nil {
			return
		}
		for sets := msg[header:length]; len(sets) >= setHeader; {
			id, size := be.Uint16(sets), int(be.Uint16(sets[2:]))
			if size < setHeader || size > len(sets) {
				return
			}
			set := sets[setHeader:size]
			sets = sets[size:]
			switch {
			case id == templates:
				learn(set, sizes)
			case sizes[id] > 0:
				n.Add(int64(len(set) / sizes[id]))
			}
		}
	}
}

// learn notes how long the records of a set of templates are. No field has a variable length here.
func learn(set []byte, sizes map[uint16]int) {
	const templateHeader, field, enterprise = 4, 4, 1 << 15
	be := binary.BigEndian
	for len(set) >= templateHeader {
		id, fields, size := be.Uint16(set), int(be.Uint16(set[2:])), 0
		set = set[templateHeader:]
		for range fields {
			if len(set) < field {
				return
			}
			size += int(be.Uint16(set[2:]))
			if be.Uint16(set)&enterprise != 0 && len(set) >= 2*field {
				set = set[field:]
			}
			set = set[field:]
		}
		sizes[id] = size
	}
}
