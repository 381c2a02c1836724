// Package ipfixtest is an IPFIX collector that counts.
package ipfixtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"ulogd/test/nstest"
)

// Collector counts the data records of IPFIX sessions over TCP. It knows of the protocol what RFC
// 7011 section 3 says: messages, sets, template records.
type Collector struct {
	Records  atomic.Int64
	Gaps     atomic.Int64   // how often a sequence number is not the one that is due
	Sessions sync.WaitGroup // that have not ended
}

// Start begins to listen in a namespace, at port 4739 of its loopback.
func Start(t testing.TB, ns *nstest.NS) *Collector {
	t.Helper()
	c := &Collector{}
	ns.Serve(t, "127.0.0.1:4739", func(conn net.Conn) {
		c.Sessions.Go(func() {
			if err := c.read(conn); err != nil && !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		})
	})
	return c
}

// read takes the messages of one session. A template's record length is enough to count; every
// field of the default layout has a fixed one.
func (c *Collector) read(conn net.Conn) error {
	defer conn.Close()
	layouts := map[uint16]Layout{}
	next := uint32(0)
	header, body := make([]byte, 16), make([]byte, 1<<16)
	for {
		if _, err := io.ReadFull(conn, header); err != nil {
			return err
		}
		if v := binary.BigEndian.Uint16(header); v != 10 {
			return fmt.Errorf("message of version %d", v)
		}
		if seq := binary.BigEndian.Uint32(header[8:]); seq != next {
			c.Gaps.Add(1)
			next = seq
		}
		sets := body[:binary.BigEndian.Uint16(header[2:])-16]
		if _, err := io.ReadFull(conn, sets); err != nil {
			return err
		}
		for len(sets) >= 4 {
			id, n := binary.BigEndian.Uint16(sets), binary.BigEndian.Uint16(sets[2:])
			set := sets[4:n]
			sets = sets[n:]
			switch {
			case id == 2:
				Learn(layouts, set)
			case id >= 256 && layouts[id].Length > 0:
				records := len(set) / layouts[id].Length
				c.Records.Add(int64(records))
				next += uint32(records)
			case id >= 256:
				return fmt.Errorf("data of template %d, which was not sent", id)
			}
		}
	}
}

// Layout is what is needed of a template whose fields have fixed lengths: where its source address
// stands, and how long a record is.
type Layout struct{ Source, Length int }

// Learn reads template records (RFC 7011 section 3.4.1).
func Learn(layouts map[uint16]Layout, set []byte) {
	const sourceIPv4Address = 8
	for len(set) >= 4 {
		id, fields := binary.BigEndian.Uint16(set), int(binary.BigEndian.Uint16(set[2:]))
		set = set[4:]
		var l Layout
		for range fields {
			element := binary.BigEndian.Uint16(set)
			if element == sourceIPv4Address {
				l.Source = l.Length
			}
			l.Length += int(binary.BigEndian.Uint16(set[2:]))
			if element&0x8000 != 0 { // an enterprise's element
				set = set[4:]
			}
			set = set[4:]
		}
		layouts[id] = l
	}
}
