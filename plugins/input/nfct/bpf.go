// The filter as a classic BPF program on the netlink sockets (linux/filter.h: SKF_AD_NLATTR,
// SKF_AD_NLATTR_NEST), so that what is not wanted neither wakes the daemon nor takes room in the
// receive buffer.

package nfct

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/nlattr"
	"ulogd/plugins/input/nfct/ctnetlink"
)

// maxProgram is the kernel's limit, BPF_MAXINSNS.
const maxProgram = 4096

// program writes instructions; jumps go forward only, by 8 bits where they are conditional and by
// 32 where not.
type program struct{ code []bpf.Instruction }

func (p *program) add(in ...bpf.Instruction) { p.code = append(p.code, in...) }

// attr makes A the offset of the attribute of that kind behind the message's headers, 0 if there is
// none.
func (p *program) attr(kind uint32) {
	p.add(bpf.LoadConstant{Dst: bpf.RegA, Val: nlattr.MessageLen + ctnetlink.HeaderLen},
		bpf.LoadConstant{Dst: bpf.RegX, Val: kind},
		bpf.LoadExtension{Num: bpf.ExtNetlinkAttr})
}

// nested makes A the offset of the attribute of that kind within the nest at A, 0 if there is none.
func (p *program) nested(kind uint32) {
	p.add(bpf.LoadConstant{Dst: bpf.RegX, Val: kind}, bpf.LoadExtension{Num: bpf.ExtNetlinkAttrNested})
}

// accept and reject return all of the message or nothing.
func (p *program) accept() { p.add(bpf.RetConstant{Val: 0xffffffff}) }
func (p *program) reject() { p.add(bpf.RetConstant{Val: 0}) }

// orAccept ends the program, leaving the message to the daemon, where A is 0: an attribute is not
// where it always was.
func (p *program) orAccept() {
	p.add(bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: 1})
	p.accept()
}

// oneOf runs the tests, each of which leaves A = 0 if it fits, and goes on behind them at the first
// that does; if none fits the message is rejected.
func (p *program) oneOf(tests ...func()) {
	var jumps []int
	for _, test := range tests {
		test()
		p.add(bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: 1})
		jumps = append(jumps, len(p.code))
		p.add(bpf.Jump{})
	}
	p.reject()
	for _, at := range jumps {
		p.code[at] = bpf.Jump{Skip: uint32(len(p.code) - at - 1)}
	}
}

// differs makes A 0 if the word at X+4+off, masked, has the value.
func (p *program) differs(off, size int, mask, value uint32) {
	p.add(bpf.LoadIndirect{Off: uint32(nlattr.HeaderLen + off), Size: size})
	if mask != 0xffffffff {
		p.add(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: mask})
	}
	p.add(bpf.ALUOpConstant{Op: bpf.ALUOpXor, Val: value})
}

// bpf returns the program, or false if it would be longer than the kernel takes. Marks may change:
// where connections are remembered, the end of one must arrive whatever its mark is by then.
func (f *filter) bpf(remember bool) ([]bpf.RawInstruction, bool) {
	p := &program{}
	if len(f.protos) > 0 {
		p.attr(ctnetlink.CTATupleOrig)
		p.orAccept()
		p.nested(ctnetlink.CTATupleProto)
		p.orAccept()
		p.nested(ctnetlink.CTAProtoNum)
		p.orAccept()
		p.add(bpf.TAX{})
		var tests []func()
		for _, proto := range f.protos {
			tests = append(tests, func() { p.differs(0, 1, 0xffffffff, uint32(proto)) })
		}
		p.oneOf(tests...)
	}
	p.networks(f.src, ctnetlink.CTAIPv4Src, ctnetlink.CTAIPv6Src)
	p.networks(f.dst, ctnetlink.CTAIPv4Dst, ctnetlink.CTAIPv6Dst)
	if len(f.marks) > 0 && !remember {
		p.number(ctnetlink.CTAMark, 4)
		var tests []func()
		for _, m := range f.marks {
			tests = append(tests, func() {
				p.add(bpf.LoadScratch{Dst: bpf.RegA, N: 0},
					bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: m.mask}, bpf.ALUOpConstant{Op: bpf.ALUOpXor, Val: m.value})
			})
		}
		p.oneOf(tests...)
	}
	// Zones are left to the daemon: those of a single direction stand inside the tuples, and few
	// machines have any.
	p.accept()
	if len(p.code) > maxProgram {
		return nil, false
	}
	raw, err := bpf.Assemble(p.code)
	return raw, err == nil
}

// number stores the number of an attribute in scratch cell 0; a missing attribute is 0.
func (p *program) number(kind uint32, size int) {
	p.attr(kind)
	p.add(bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 2},
		bpf.TAX{},
		bpf.LoadIndirect{Off: nlattr.HeaderLen, Size: size},
		bpf.StoreScratch{Src: bpf.RegA, N: 0})
}

// networks tests one address of the original tuple. It stands in the attribute of its family.
func (p *program) networks(nets []network, kind4, kind6 uint32) {
	if len(nets) == 0 {
		return
	}
	p.attr(ctnetlink.CTATupleOrig)
	p.orAccept()
	p.nested(ctnetlink.CTATupleIP)
	p.orAccept()
	p.add(bpf.StoreScratch{Src: bpf.RegA, N: 1})
	var tests []func()
	for _, n := range nets {
		tests = append(tests, func() {
			kind := kind6
			if n.family == unix.AF_INET {
				kind = kind4
			}
			p.add(bpf.LoadScratch{Dst: bpf.RegA, N: 1})
			p.nested(kind)
			p.network(n)
		})
	}
	// Those that the list hides for their family go to the daemon, which counts them.
	if hides(nets, unix.AF_INET) {
		tests = append(tests, func() {
			p.add(bpf.LoadScratch{Dst: bpf.RegA, N: 1})
			p.nested(kind6) // 0: there is none, so it is of the other family
		})
	}
	if hides(nets, unix.AF_INET6) {
		tests = append(tests, func() {
			p.add(bpf.LoadScratch{Dst: bpf.RegA, N: 1})
			p.nested(kind4)
		})
	}
	p.oneOf(tests...)
}

// network makes A 0 if the address at offset A is in the network. Offset 0 says that the address is
// of the other family.
func (p *program) network(n network) {
	words, at := addrWords(n.addr), addrWords(n.mask)
	first := 0
	if n.family == unix.AF_INET {
		first = 3
	}
	p.add(bpf.TAX{}, bpf.StoreScratch{Src: bpf.RegX, N: 2})
	q := &program{}
	q.add(bpf.LoadConstant{Dst: bpf.RegA, Val: 0}, bpf.StoreScratch{Src: bpf.RegA, N: 3})
	for i := first; i < 4; i++ {
		if at[i] == 0 {
			continue
		}
		// Collect the differences of all words in scratch cell 3. X is needed for both, so cell 2
		// keeps the offset.
		q.add(bpf.LoadScratch{Dst: bpf.RegX, N: 2})
		q.differs(4*(i-first), 4, at[i], words[i])
		q.add(bpf.LoadScratch{Dst: bpf.RegX, N: 3}, bpf.ALUOpX{Op: bpf.ALUOpOr}, bpf.StoreScratch{Src: bpf.RegA, N: 3})
	}
	q.add(bpf.LoadScratch{Dst: bpf.RegA, N: 3}, bpf.Jump{Skip: 1})
	// No such attribute: A becomes 1, which fits nothing.
	p.add(bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: uint8(len(q.code))})
	p.add(q.code...)
	p.add(bpf.LoadConstant{Dst: bpf.RegA, Val: 1})
}

func addrWords(a engine.Addr) [4]uint32 {
	return [4]uint32{uint32(a.Hi >> 32), uint32(a.Hi), uint32(a.Lo >> 32), uint32(a.Lo)}
}
