package pcap

import (
	"encoding/binary"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The mapped ring of AF_PACKET, version 3 (Documentation/networking/packet_mmap.rst): blocks that the kernel fills with packets and
// hands over whole, read where they are and given back when nobody refers to them any more.

const (
	ringBlock   = 256 << 10 // a packet longer than this is cut
	ringBlocks  = 128       // 32 MiB
	retireAfter = 50        // ms until a block is handed over though it is not full
)

// headroom is left in front of each packet for a VLAN tag, and for the link header made for interfaces that have none.
const (
	headroom   = 24
	tagLength  = 4
	sll2Length = 20
)

// blockHeader is linux/if_packet.h's struct tpacket_block_desc with its only version of a header.
type blockHeader struct {
	version, private uint32
	unix.TpacketHdrV1
}

// ring is a live capture. Its blocks are walked one after the other.
type ring struct {
	fd      int
	link    uint16
	ifindex int
	mem     []byte
	taken   [ringBlocks]bool // blocks that are ours until release

	current int    // the block being walked, or the next
	walking bool   // whether it is being walked
	pos     uint32 // of the next packet in it
	left    uint32 // packets to come in it
}

// The ports that frames of a ring name.
const (
	portIn  = 0 // packets that the interface received
	portOut = 1 // packets that it sent
)

// block returns the memory of a block, in which frames of next have their places.
func (r *ring) block(i int) []byte { return r.mem[i*ringBlock : (i+1)*ringBlock : (i+1)*ringBlock] }

func (r *ring) header(i int) *blockHeader { return (*blockHeader)(unsafe.Pointer(&r.block(i)[0])) }

// advance goes on to the next block and returns which it is. It waits until the deadline for the kernel to hand it over, and returns false if
// that does not happen, or if the whole ring is still referred to.
func (r *ring) advance(deadline time.Time) (block int, ok bool, err error) {
	if r.walking {
		r.walking = false
		r.current = (r.current + 1) % ringBlocks
	}
	if r.taken[r.current] {
		time.Sleep(min(time.Millisecond, time.Until(deadline))) // poll would return at once
		return 0, false, nil
	}
	h := r.header(r.current)
	for atomic.LoadUint32(&h.Block_status)&unix.TP_STATUS_USER == 0 {
		if ready, err := pollUntil(r.fd, deadline); err != nil || !ready {
			return 0, false, err
		}
		if err := r.socketError(); err != nil {
			return 0, false, err
		}
	}
	r.walking, r.taken[r.current] = true, true
	r.pos, r.left = h.Offset_to_first_pkt, h.Num_pkts
	return r.current, true, nil
}

// socketError returns and clears what poll reports besides packets, such as ENETDOWN when the interface goes down; packets come again
// when it is up.
func (r *ring) socketError() error {
	code, err := unix.GetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil || code == 0 {
		return err
	}
	return unix.Errno(code)
}

// release gives a block back to the kernel.
func (r *ring) release(block int) {
	r.taken[block] = false
	atomic.StoreUint32(&r.header(block).Block_status, unix.TP_STATUS_KERNEL)
}

// next fills frames with packets of the current block and returns how many; 0 asks for advance.
func (r *ring) next(frames []frame) int {
	n := 0
	if !r.walking {
		return 0
	}
	b := r.block(r.current)
	for n < len(frames) && r.left > 0 {
		h := (*unix.Tpacket3Hdr)(unsafe.Pointer(&b[r.pos]))
		f := &frames[n]
		*f = frame{
			time: int64(h.Sec)*1e9 + int64(h.Nsec),
			off:  r.pos + uint32(h.Mac), caplen: h.Snaplen, wirelen: h.Len,
		}
		address := b[r.pos+unix.SizeofTpacket3Hdr:][:unix.SizeofSockaddrLinklayer]
		if address[sllPacketType] == unix.PACKET_OUTGOING {
			f.port = portOut
		}
		if h.Status&unix.TP_STATUS_VLAN_VALID != 0 || r.link == linkSLL2 {
			r.complete(f, b, h, address)
		}
		n++
		r.pos += h.Next_offset
		r.left--
	}
	return n
}

// Places in struct sockaddr_ll (linux/if_packet.h).
const (
	sllProtocol   = 2
	sllIfindex    = 4
	sllHardware   = 8
	sllPacketType = 10
	sllAddrLength = 11
	sllAddress    = 12
)

// complete writes in front of the packet what the kernel took off or never had: the outermost VLAN tag, and for interfaces without a link header of ours
// the header of LINKTYPE_LINUX_SLL2, which says the same as the kernel's address.
func (r *ring) complete(f *frame, b []byte, h *unix.Tpacket3Hdr, address []byte) {
	var tag [tagLength]byte
	tagged := h.Status&unix.TP_STATUS_VLAN_VALID != 0
	if tagged {
		be.PutUint16(tag[:], 0x8100)
		if h.Status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
			be.PutUint16(tag[:], h.Hv1.Vlan_tpid)
		}
		be.PutUint16(tag[2:], uint16(h.Hv1.Vlan_tci))
	}
	if r.link == linkEthernet {
		const addresses = 12
		if f.caplen >= addresses {
			p := b[f.off-tagLength:]
			copy(p, p[tagLength:tagLength+addresses])
			copy(p[addresses:], tag[:])
			f.grow(tagLength)
		}
		return
	}
	protocol := address[sllProtocol : sllProtocol+2]
	if tagged { // tag type, then tag content and the type of what is behind it
		p := b[f.off-tagLength:]
		copy(p, tag[2:])
		copy(p[2:], protocol)
		f.grow(tagLength)
		protocol = tag[:2]
	}
	p := b[f.off-sll2Length:]
	copy(p, protocol)
	p[2], p[3] = 0, 0
	be.PutUint32(p[4:], binary.NativeEndian.Uint32(address[sllIfindex:]))
	be.PutUint16(p[8:], binary.NativeEndian.Uint16(address[sllHardware:]))
	p[10], p[11] = address[sllPacketType], address[sllAddrLength]
	copy(p[12:sll2Length], address[sllAddress:])
	f.grow(sll2Length)
}

// grow extends a frame to the front.
func (f *frame) grow(n uint32) {
	f.off -= n
	f.caplen += n
	f.wirelen += n
}

// drops returns how many packets that the filter took found no room, since the last call.
func (r *ring) drops() (uint32, error) {
	s, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, err
	}
	return s.Drops, nil
}

// close ends the capture. Nobody may refer to its blocks any more.
func (r *ring) close() error {
	if r.mem != nil {
		unix.Munmap(r.mem)
	}
	return unix.Close(r.fd)
}
