package pcap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/plugins/input/pcap/filter"
)

// Opening an interface for live capture.

// liveOptions say what to capture.
type liveOptions struct {
	iface   string
	filter  string // "" takes all
	snaplen uint32
	promisc bool
}

// Hardware types (linux/if_arp.h).
const (
	arphrdEther    = 1
	arphrdLoopback = 772
)

// find looks an interface up, with its hardware type.
func find(name string) (*net.Interface, uint16, error) {
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return nil, 0, fmt.Errorf("capture from %s: %w", name, err)
	}
	hardware, err := hardwareType(iface.Index)
	if errors.Is(err, unix.EPERM) {
		return nil, 0, fmt.Errorf("capture from %s: %w (give the process CAP_NET_RAW)", name, err)
	} else if err != nil {
		return nil, 0, fmt.Errorf("capture from %s: %w", name, err)
	}
	return iface, hardware, nil
}

// openRing opens an interface. Nothing is captured that the filter does not take, from the first packet on.
func openRing(o liveOptions) (*ring, error) {
	iface, hardware, err := find(o.iface)
	if err != nil {
		return nil, err
	}
	// Of an interface with any other link header the kernel gives packets without it, and tells what it said.
	kind, link := unix.SOCK_DGRAM, uint16(linkSLL2)
	if hardware == arphrdEther || hardware == arphrdLoopback {
		kind, link = unix.SOCK_RAW, linkEthernet
	}
	program := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: o.snaplen}}
	if o.filter != "" {
		f, err := filter.CompileLive(o.filter, kind == unix.SOCK_DGRAM)
		if err != nil {
			return nil, err
		}
		if program, err = f.Assemble(o.snaplen); err != nil {
			return nil, err
		}
	}
	fd, err := unix.Socket(unix.AF_PACKET, kind|unix.SOCK_CLOEXEC, 0) // protocol 0: captures nothing yet
	if err != nil {
		return nil, fmt.Errorf("capture from %s: %w", o.iface, err)
	}
	r := &ring{fd: fd, name: o.iface, link: link, ifindex: iface.Index}
	if err := r.start(o, hardware == arphrdLoopback, program); err != nil {
		r.close()
		return nil, fmt.Errorf("capture from %s: %w", o.iface, err)
	}
	return r, nil
}

// hardwareType asks the kernel through a socket, as /sys may show another network namespace.
func hardwareType(ifindex int) (uint16, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: ifindex}); err != nil {
		return 0, err
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return 0, err
	}
	return name.(*unix.SockaddrLinklayer).Hatype, nil
}

func (r *ring) start(o liveOptions, loopback bool, program []unix.SockFilter) error {
	set := func(option, value int) error {
		return unix.SetsockoptInt(r.fd, unix.SOL_PACKET, option, value)
	}
	if err := set(unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return fmt.Errorf("ask for TPACKET_V3: %w", err)
	}
	if err := set(unix.PACKET_RESERVE, headroom); err != nil {
		return fmt.Errorf("reserve headroom: %w", err)
	}
	if loopback { // where each packet is sent and received
		if err := set(unix.PACKET_IGNORE_OUTGOING, 1); err != nil {
			return fmt.Errorf("ignore what loopback sends: %w", err)
		}
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
	all := &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: r.ifindex}
	if err := unix.Bind(r.fd, all); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if o.promisc {
		m := unix.PacketMreq{Ifindex: int32(r.ifindex), Type: unix.PACKET_MR_PROMISC}
		if err := unix.SetsockoptPacketMreq(r.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &m); err != nil {
			return fmt.Errorf("promiscuous mode: %w", err)
		}
	}
	return nil
}

// networkOrder returns the number whose octets, as this machine stores them, are those of v in network order.
func networkOrder(v uint16) uint16 {
	var b [2]byte
	be.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}

// share joins the rings of one interface to a group, in which each packet goes to one of them, and all of a flow to the same.
func share(rings []*ring) error {
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
