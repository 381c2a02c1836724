// Assembling a filter for the kernel's classic BPF (Documentation/networking/filter.rst).

package filter

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// What the kernel knows of a packet besides its octets is loaded from offsets behind all octets
// (linux/filter.h).
const (
	ancillary        = -0x1000 // SKF_AD_OFF
	ancillaryType    = 0       // SKF_AD_PROTOCOL
	ancillaryTag     = 44      // SKF_AD_VLAN_TAG
	ancillaryTagged  = 48      // SKF_AD_VLAN_TAG_PRESENT
	ancillaryTagType = 60      // SKF_AD_VLAN_TPID
)

// assembly is a program in reverse: all jumps lead forward, so the end is written first, and the
// distance to what is written is known.
type assembly []unix.SockFilter

func (a *assembly) add(code uint16, k uint32) {
	*a = append(*a, unix.SockFilter{Code: code, K: k})
}

// near returns the distance from an instruction in front of all others to target, if need be
// through a jump that is added. Conditional jumps reach 255 instructions; one more may yet be added
// between.
func (a *assembly) near(target int) uint8 {
	if far := len(*a) - target - 1; far > 254 {
		a.add(unix.BPF_JMP|unix.BPF_JA, uint32(far))
		return 0
	}
	return uint8(len(*a) - target - 1)
}

// Assemble makes a program that takes snaplen octets of each packet that the filter takes.
func (f *Program) Assemble(snaplen uint32) ([]unix.SockFilter, error) {
	var a assembly
	a.add(unix.BPF_RET|unix.BPF_K, 0)
	a.add(unix.BPF_RET|unix.BPF_K, snaplen)
	start := make([]int, len(f.steps)) // where in a the first instruction of a step is
	where := func(step uint16) int {
		switch step {
		case refused:
			return 0
		case taken:
			return 1
		}
		return start[step]
	}
	for i := len(f.steps) - 1; i >= 0; i-- {
		s := &f.steps[i]
		no := a.near(where(s.no))
		size := len(a)
		yes := a.near(where(s.yes))
		no += uint8(len(a) - size) // a jump added for yes stands in front
		a = append(a, unix.SockFilter{
			Code: unix.BPF_JMP | unix.BPF_K | [...]uint16{equal: unix.BPF_JEQ, atLeast: unix.BPF_JGE, anyBit: unix.BPF_JSET}[s.cond],
			Jt:   yes, Jf: no, K: s.value,
		})
		if !s.held {
			a.load(s.load)
		}
		start[i] = len(a) - 1
	}
	if len(a) > unix.BPF_MAXINSNS {
		return nil, fmt.Errorf("the filter needs %d instructions, the kernel takes %d: make it shorter", len(a), unix.BPF_MAXINSNS)
	}
	for i, j := 0, len(a)-1; i < j; i, j = i+1, j-1 {
		a[i], a[j] = a[j], a[i]
	}
	return a, nil
}

// load adds what loads a number, the last instruction first.
func (a *assembly) load(l load) {
	if l.mask != ^uint32(0) {
		a.add(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, l.mask)
	}
	aside := func(what int32) { a.add(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, uint32(ancillary+what)) }
	switch l.from {
	case fromWord:
		a.add(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, l.off)
	case fromHalf:
		a.add(unix.BPF_LD|unix.BPF_H|unix.BPF_ABS, l.off)
	case fromByte:
		a.add(unix.BPF_LD|unix.BPF_B|unix.BPF_ABS, l.off)
	case fromPort:
		a.add(unix.BPF_LD|unix.BPF_H|unix.BPF_IND, l.ip+l.off)
		a.add(unix.BPF_LDX|unix.BPF_B|unix.BPF_MSH, l.ip)
	case fromLength:
		a.add(unix.BPF_LD|unix.BPF_W|unix.BPF_LEN, 0)
	case fromType:
		aside(ancillaryType)
	case fromTagged:
		aside(ancillaryTagged)
	case fromTag:
		aside(ancillaryTag)
	case fromTagType:
		aside(ancillaryTagType)
	}
}
