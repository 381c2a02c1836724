// Package pcap is the PCAP input: packets of capture files, or of an interface.
package pcap

import (
	"errors"

	"ulogd/engine"
	"ulogd/engine/key"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "PCAP", Kind: engine.InputKind,
		Doc: `Reads packets from capture files: pcap and pcapng in every byte order and resolution, plain or packed with gzip or zstd.

Files are read in the order they are listed, those of a glob by name; "-" is the standard input. Link types: Ethernet, raw IP, Linux cooked (both),
BSD loopback, PPP, PPPoE, Cisco HDLC, NFLOG, 802.11 and radiotap. A file that is cut off gives every packet before the cut and a warning with the offset.
Time is the newest packet's.`,
		New: func() any { return &input{} },
	})
}

// input holds the settings and where the reading is.
type input struct {
	patterns []string

	files    []string
	src      *source
	file     *file
	frames   [engine.BatchSize]frame
	blocks   *engine.Blocks
	block    *engine.Block
	newest   int64
	packets  int64
	keys     keys
	env      *engine.Env
	progress progress

	noNetwork, refused, badRecord *engine.Drop
}

func (in *input) Options(o *engine.Options) {
	o.Strings(&in.patterns, "file", nil, "capture files: paths, globs, or - for the standard input")
}

func (in *input) Validate() error {
	if len(in.patterns) == 0 {
		return errors.New("file: name a capture file")
	}
	return nil
}

// Backpressure holds: a file can wait.
func (in *input) Backpressure() bool { return true }

// keys are what PCAP gives of a packet.
type keys struct {
	all, hardware, source, iface engine.Group

	pkt      engine.Col[engine.Raw]
	length   engine.Col[uint32]
	wire     engine.Col[uint32]
	count    engine.Col[uint32]
	time     engine.Col[engine.Time]
	family   engine.Col[uint8]
	protocol engine.Col[uint16]
	mac      engine.Col[engine.Raw]
	maclen   engine.Col[uint16]
	saddr    engine.Col[engine.Raw]
	addrlen  engine.Col[uint16]
	ifin     engine.Col[uint32]
}

func (in *input) Bind(p *engine.Binder) {
	k := &in.keys
	k.all, k.hardware, k.source, k.iface = p.Group(), p.Group(), p.Group(), p.Group()
	k.mac = engine.Give(p, k.hardware, key.RawMAC)
	k.pkt = engine.Give(p, k.all, key.RawPkt)
	k.length = engine.Give(p, k.all, key.RawPktLen)
	k.wire = engine.Give(p, k.all, key.RawWireLen)
	k.count = engine.Give(p, k.all, key.RawPktCount)
	k.time = engine.Give(p, k.all, key.OOBTime)
	k.ifin = engine.Give(p, k.iface, key.OOBIfIn)
	k.maclen = engine.Give(p, k.hardware, key.RawMACLen)
	k.family = engine.Give(p, k.all, key.OOBFamily)
	k.protocol = engine.Give(p, k.all, key.OOBProtocol)
	k.saddr = engine.Give(p, k.source, key.RawMACSaddr)
	k.addrlen = engine.Give(p, k.source, key.RawMACAddrLen)

	s := p.Stats()
	in.noNetwork = s.Drop("no_network_header", "frames that end in their link header or carry no packet, such as wireless management frames")
	in.refused = s.Drop("link_type", "packets of a capture interface whose link type is not supported")
	in.badRecord = s.Drop("bad_record", "records of a capture file that could not be read")
}

func (in *input) Open(env *engine.Env) error {
	in.env = env
	in.blocks = engine.NewBlocks(blockSize)
	in.block = in.blocks.Get()
	files, err := expand(in.patterns)
	if err != nil {
		return err
	}
	in.files = files
	return in.openNext()
}

func (in *input) Close() error {
	if in.src == nil {
		return nil
	}
	return in.src.Close()
}

// openNext opens the first file that is left.
func (in *input) openNext() error {
	name := in.files[0]
	in.files = in.files[1:]
	src, err := openSource(name)
	if err != nil {
		return err
	}
	in.renewBlock()
	f, err := newFile(name, src, in.block.Data)
	if err != nil {
		src.Close()
		return err
	}
	in.src, in.file = src, f
	in.progress.begin(name)
	return nil
}

// renewBlock takes another block where batches still refer to the present one.
func (in *input) renewBlock() {
	if in.block.Shared() {
		in.block.Release()
		in.block = in.blocks.Get()
	}
}
