// The ring in which the kernel puts captured packets (AF_PACKET, TPACKET_V3).

package pcap

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"ulogd/engine"
)

// The mapped ring of AF_PACKET, version 3 (Documentation/networking/packet_mmap.rst): blocks that
// the kernel fills with packets and hands over whole, read where they are and given back when
// nobody refers to them any more.

const (
	ringBlock   = 256 << 10 // a packet longer than this is cut
	ringBlocks  = 128       // 32 MiB
	retireAfter = 50        // ms until a block is handed over though it is not full
)

// headroom is left in front of each packet for a VLAN tag, and for the link header made for
// interfaces that have none.
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
	fd       int
	name     string // of the interface
	ifindex  int
	link     uint16
	ports    []port                 // what its frames have in common
	joins    [engine.BatchSize]join // of the frames that next gave last
	segments bool                   // the kernel tells them
	down     bool                   // the interface was, and nothing has come since
	mem      []byte
	blocks   [ringBlocks]*engine.Block

	current int    // the block being walked, or the next
	held    int    // blocks before it that are not given back yet
	walking bool   // whether it is being walked
	pos     uint32 // of the next packet in it
	left    uint32 // packets to come in it
}

// The ports that frames of a ring name.
const (
	portIn  = 0 // packets that the interface received
	portOut = 1 // packets that it sent
)

// of notes which interface the frames are of. Where the link header is made here it tells that
// itself.
func (r *ring) of(ifindex int) {
	r.ifindex, r.down = ifindex, false
	r.ports = []port{portIn: newPort(r.link), portOut: newPort(r.link)}
	if r.link != linkSLL2 {
		r.ports[portIn].ifin, r.ports[portOut].ifout = uint32(ifindex), uint32(ifindex)
	}
}

// block returns the block that advance has gone on to, in which frames of next have their places.
func (r *ring) block() *engine.Block { return r.blocks[r.current] }

func (r *ring) header(i int) *blockHeader {
	return (*blockHeader)(unsafe.Pointer(&r.blocks[i].Data[0]))
}

// advance leaves the current block and goes on to the next. It returns false if the kernel has not
// handed that over yet, or if batches refer to all blocks.
func (r *ring) advance() bool {
	if r.walking {
		r.walking = false
		r.current = (r.current + 1) % ringBlocks
		r.held++
	}
	r.giveBack()
	h := r.header(r.current)
	if r.held == ringBlocks || atomic.LoadUint32(&h.Block_status)&unix.TP_STATUS_USER == 0 {
		return false
	}
	r.walking, r.down = true, false
	r.pos, r.left = h.Offset_to_first_pkt, h.Num_pkts
	return true
}

// giveBack gives the oldest blocks back to the kernel, which takes them in their order, up to the
// first that a batch refers to.
func (r *ring) giveBack() {
	for ; r.held > 0; r.held-- {
		oldest := (r.current - r.held + ringBlocks) % ringBlocks
		if r.blocks[oldest].Shared() {
			return
		}
		atomic.StoreUint32(&r.header(oldest).Block_status, unix.TP_STATUS_KERNEL)
	}
}

// next fills frames with packets of the current block and returns how many; 0 asks for advance.
func (r *ring) next(frames []frame) int {
	n := 0
	if !r.walking {
		return 0
	}
	b := r.block().Data
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
			if r.ifindex == 0 && binary.NativeEndian.Uint16(address[sllHardware:]) == arphrdLoopback {
				r.pos += h.Next_offset // it comes once more, as received
				r.left--
				continue
			}
		}
		if r.segments {
			if j := joinOf(b[f.off-vnetLength:f.off+f.caplen], f.wirelen); j.packets > 1 {
				r.joins[n], f.joined = j, uint16(n+1)
			}
		}
		if h.Status&unix.TP_STATUS_VLAN_VALID != 0 || r.link == linkSLL2 {
			r.complete(f, b, h, address)
			if f.joined != 0 { // an Ethernet frame, with a tag now
				r.joins[n].headers += tagLength
			}
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

// complete writes in front of the packet what the kernel took off or never had: the outermost VLAN
// tag, and for interfaces without a link header of ours the header of LINKTYPE_LINUX_SLL2, which
// says the same as the kernel's address.
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

// socketError returns and clears what poll reports besides packets.
func (r *ring) socketError() error {
	code, err := unix.GetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil || code == 0 {
		return err
	}
	return unix.Errno(code)
}

// removed reports whether the interface is gone for good; the kernel then unbinds the socket.
func (r *ring) removed() bool {
	name, err := unix.Getsockname(r.fd)
	if err != nil {
		return false
	}
	bound, ok := name.(*unix.SockaddrLinklayer)
	return ok && bound.Ifindex != r.ifindex
}

// refuse makes the kernel take no more packets.
func (r *ring) refuse() error {
	none := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	return unix.SetsockoptSockFprog(r.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &none})
}

// idle reports whether no batch refers to the ring.
func (r *ring) idle() bool {
	if r.mem == nil {
		return true
	}
	r.giveBack()
	return r.held == 0 && !(r.walking && r.block().Shared())
}

// close ends the capture. The memory stays where a batch still refers to it, as behind an output
// that hangs when the daemon ends.
func (r *ring) close() error {
	if r.idle() && r.mem != nil {
		unix.Munmap(r.mem)
	}
	return unix.Close(r.fd)
}
