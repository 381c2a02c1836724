// One capture file, read in large blocks.

package pcap

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Capture files are read in large blocks and walked in place: a frame is a place in the block,
// never a copy. What straddles the end of a block moves to the next, to just before the place where
// every read begins: reads to whole pages cost half of what they cost to any place (measured; at
// some places the kernel's copying takes five times as long).

const (
	// readSize is how much one read asks for; 64 to 256 KiB are equally fast, larger reads leave
	// the second-level cache.
	readSize = 256 << 10
	// maxCaplen bounds a packet; libpcap's MAXIMUM_SNAPLEN.
	maxCaplen = 256 << 10
	// maxRecord bounds a packet with the headers and options around it.
	maxRecord = maxCaplen + 64<<10
	// readAt is where a read begins in a block; in front is room for the longest record cut off.
	readAt    = maxRecord
	blockSize = readAt + readSize
)

// frame is one packet in the current block.
type frame struct {
	time    int64  // ns since 1970
	off     uint32 // where it begins in the block
	caplen  uint32 // octets there
	wirelen uint32 // octets on the wire
	port    uint16 // index into file.ports
	joined  uint16 // of a live capture: 1 + index into the ring's joins, 0 for one packet
}

// port is a capture interface: all that its packets have in common.
type port struct {
	link        uint16
	hardware    uint16 // the ARP hardware type that goes with it
	refused     error  // why its packets cannot be read
	missed      int    // packets of it that were refused and are not in its link type's counter yet
	snaplen     uint32
	ifin, ifout uint32 // index of the interface that a live packet came in or went out by
	clock
}

func newPort(link uint16) port {
	return port{link: link, hardware: hardwareOf(link), refused: supported(link)}
}

// plain reports whether all that its packets need is the EtherType.
func (p *port) plain() bool { return p.link == linkEthernet && p.ifin|p.ifout == 0 }

// file is a capture file being read, of either format.
type file struct {
	name  string
	src   io.Reader
	ports []port // of the current section; a classic file has one

	buf      []byte // the block, up to what has been read
	pos      int    // what has been walked
	at       int64  // offset of buf[0] in the file, as decompressed, if what is there were of it
	skip     int64  // octets still to pass over
	order    order
	sections bool // pcapng
	record   int  // octets of a classic record header
	swapped  bool // classic, before version 2.3: lengths are the other way round
	latest   int64
	bad      uint64 // records given up on whose neighbours are unharmed
	damage   error  // why nothing more can be read
}

// damage tells where a file cannot be read further.
type damage struct {
	file   string
	offset int64 // in the file, as decompressed
	what   string
}

func (d *damage) Error() string {
	return fmt.Sprintf("%s: offset %d: %s; all packets before it were read", d.file, d.offset, d.what)
}

// order is the byte order of a file or section.
type order struct{ big bool }

func (o order) u16(b []byte) uint16 {
	if o.big {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

func (o order) u32(b []byte) uint32 {
	if o.big {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

// newFile reads the beginning of a capture file into block and tells from it what it is.
func newFile(name string, src io.Reader, block []byte) (*file, error) {
	f := &file{name: name, src: src, pos: readAt, at: -readAt}
	n, err := io.ReadAtLeast(src, block[readAt:blockSize], classicHeader)
	f.buf = block[:readAt+n]
	switch {
	case n == 0 && err == io.EOF:
		return nil, fmt.Errorf("%s is empty, not a capture file", name)
	case n == 0 && err == io.ErrUnexpectedEOF: // a decompressor's
		return nil, fmt.Errorf("read %s: it is cut off within its first compressed block", name)
	case err != nil && err != io.ErrUnexpectedEOF:
		return nil, fmt.Errorf("read %s: %w", name, err)
	case n >= 4 && binary.LittleEndian.Uint32(f.buf[readAt:]) == sectionHeader: // the same in both orders
		f.sections = true
		return f, nil
	}
	return f, f.startClassic()
}

// next fills frames with packets of the current block and returns how many; 0 asks for fill.
func (f *file) next(frames []frame) int {
	if f.sections {
		return f.nextBlocks(frames)
	}
	return f.nextRecords(frames)
}

// fill goes on to block, which may be the one before if nobody refers to it any more, and reads
// once. It returns io.EOF at the end of an unharmed file and a *damage where a file ends in any
// other way.
func (f *file) fill(block []byte) error {
	if f.damage != nil {
		return f.damage
	}
	rest := f.buf[f.pos:]
	start := readAt - len(rest)
	copy(block[start:], rest)
	f.at += int64(f.pos - start)
	f.pos = start
	n, err := f.src.Read(block[readAt:blockSize])
	f.buf = block[:readAt+n]
	switch {
	case n > 0 || err == nil:
		return nil
	case err == io.EOF && len(rest) == 0 && f.skip == 0:
		f.damage = io.EOF
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		f.fail("the file is cut off")
	default:
		f.fail(err.Error())
	}
	return f.damage
}

// fail ends the file at the current record.
func (f *file) fail(what string) {
	f.damage = &damage{f.name, f.at + int64(f.pos), what}
}
