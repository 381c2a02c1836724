// Opening an interface.

package pcap

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/plugins/input/pcap/filter"
)

// Opening an interface for live capture.

// liveOptions say what to capture.
type liveOptions struct {
	iface    string
	filter   string // "" takes all
	snaplen  uint32
	promisc  bool
	segments bool
}

// Hardware types (linux/if_arp.h).
const (
	arphrdEther    = 1
	arphrdLoopback = 772
	arphrdVoid     = 0xffff // none that is known
)

// newSocket makes a socket that captures nothing yet, of one kind of link header.
func newSocket(cooked bool) (int, error) {
	kind := unix.SOCK_RAW
	if cooked {
		kind = unix.SOCK_DGRAM
	}
	return unix.Socket(unix.AF_PACKET, kind|unix.SOCK_CLOEXEC, 0) // protocol 0
}

// openRing opens an interface.
func openRing(o liveOptions) (*ring, error) {
	f, err := find(o.iface)
	if err != nil {
		return nil, err
	}
	fd, err := newSocket(f.cooked())
	if err != nil {
		return nil, fmt.Errorf("capture from %s: %w", o.iface, err)
	}
	return startRing(fd, o, f)
}

// startRing captures from an interface by a socket of its kind, which it closes if that fails.
// Nothing is captured that the filter does not take, from the first packet on.
func startRing(fd int, o liveOptions, f found) (*ring, error) {
	r := &ring{fd: fd, name: o.iface, link: linkEthernet}
	if f.cooked() {
		r.link = linkSLL2
	}
	program := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: o.snaplen}}
	if o.filter != "" {
		c, err := filter.CompileLive(o.filter, f.cooked())
		if err == nil {
			program, err = c.Assemble(o.snaplen)
		}
		if err != nil {
			r.close()
			return nil, err
		}
	}
	if err := r.start(o, program); err != nil {
		r.close()
		return nil, fmt.Errorf("capture from %s: %w", o.iface, err)
	}
	if err := r.bind(o, f); err != nil {
		r.close()
		return nil, fmt.Errorf("capture from %s: %w", o.iface, err)
	}
	return r, nil
}

// start makes the ring.
func (r *ring) start(o liveOptions, program []unix.SockFilter) error {
	set := func(option, value int) error {
		return unix.SetsockoptInt(r.fd, unix.SOL_PACKET, option, value)
	}
	if err := set(unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return fmt.Errorf("ask for TPACKET_V3: %w", err)
	}
	if r.segments = o.segments && r.link == linkEthernet; r.segments { // the kernel refuses it for cooked packets
		if err := set(unix.PACKET_VNET_HDR, 1); err != nil {
			return fmt.Errorf("ask what packets were joined of: %w", err)
		}
	}
	if err := set(unix.PACKET_RESERVE, headroom); err != nil {
		return fmt.Errorf("reserve headroom: %w", err)
	}
	p := unix.SockFprog{Len: uint16(len(program)), Filter: unsafe.SliceData(program)}
	if err := unix.SetsockoptSockFprog(r.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &p); err != nil {
		return fmt.Errorf("attach the filter: %w", err)
	}
	request := unix.TpacketReq3{
		Block_size: ringBlock, Block_nr: ringBlocks,
		Frame_size: ringBlock, Frame_nr: ringBlocks, // of no meaning in version 3, but checked
		Retire_blk_tov: retireAfter,
	}
	if err := unix.SetsockoptTpacketReq3(r.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &request); err != nil {
		return fmt.Errorf("make a ring of %d MiB: %w", ringBlocks*ringBlock>>20, err)
	}
	mem, err := unix.Mmap(r.fd, 0, ringBlock*ringBlocks, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map the ring: %w", err)
	}
	r.mem = mem
	views := engine.NewBlocks(0)
	for i := range r.blocks {
		r.blocks[i] = views.Get() // never given back: the memory is the ring's
		r.blocks[i].Data = mem[i*ringBlock : (i+1)*ringBlock : (i+1)*ringBlock]
	}
	return nil
}

// bind makes the socket capture from an interface, which may be another than before.
func (r *ring) bind(o liveOptions, f found) error {
	if f.hardware == arphrdLoopback { // where each packet is sent and received
		if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err != nil {
			return fmt.Errorf("ignore what loopback sends: %w", err)
		}
	}
	r.of(f.index)
	all := &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: r.ifindex}
	if err := unix.Bind(r.fd, all); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if o.promisc && f.index != 0 {
		m := unix.PacketMreq{Ifindex: int32(r.ifindex), Type: unix.PACKET_MR_PROMISC}
		if err := unix.SetsockoptPacketMreq(r.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &m); err != nil {
			return fmt.Errorf("promiscuous mode: %w", err)
		}
	}
	return nil
}

// networkOrder returns the number whose octets, as this machine stores them, are those of v in
// network order.
func networkOrder(v uint16) uint16 {
	var b [2]byte
	be.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}

// share joins the rings of one interface to a group, in which each packet goes to one of them, and
// all of a flow to the same.
func share(rings []*ring) error {
	if len(rings) < 2 {
		return nil
	}
	const unique = unix.PACKET_FANOUT_HASH | unix.PACKET_FANOUT_FLAG_UNIQUEID
	group := unique << 16
	for i, r := range rings {
		if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_FANOUT, group); err != nil {
			return fmt.Errorf("share packets among %d rings: %w", len(rings), err)
		}
		if i > 0 {
			continue
		}
		id, err := unix.GetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_FANOUT)
		if err != nil {
			return fmt.Errorf("share packets among %d rings: %w", len(rings), err)
		}
		group = id&0xffff | unix.PACKET_FANOUT_HASH<<16
	}
	return nil
}
