// Package pcap is the PCAP input: packets of capture files, or of interfaces.
package pcap

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/netns"
	"ulogd/plugins/input/pcap/filter"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "PCAP",
		Doc: `Reads packets from capture files, or from interfaces as they pass.

Files are pcap and pcapng in every byte order and resolution, plain or packed with gzip, zstd, xz, bzip2 or lz4. They
are read in the order they are listed, those of a glob in the order of their first packets; "-" is the standard input.
Link types: Ethernet, raw IP, Linux cooked (both), BSD loopback, PPP, PPPoE, Cisco HDLC, Frame Relay, NFLOG, PFLOG,
ENC, 802.11 and radiotap, PPI and PKTAP in front of these, and those of Juniper's routers whose layout is known;
packets of others in a pcapng file are counted by name (link_type_usb_linux). A file that is cut off gives every
packet before the cut and a warning with the offset. A file of the list that cannot be read is an error in the log,
the others are read, and the daemon ends with exit code 1. Time is the newest packet's; of a pipe whose packets are of
now, as from tcpdump -w -, it is the clock's.

With follow = true, file names directories or globs that are being filled, as by tcpdump -C or -G. A file is read when
nobody has it open for writing, which the kernel tells to root and to the file's owner; else, and on network file
systems, when it was closed or moved there, or has not changed for 10 seconds and a later one is there. A name that is
written anew is another file. A file that is being read when the daemon ends is read to its end, within
shutdown_timeout. Flows end by the packets' times, the last ones when more packets come or the daemon ends.

Each interface is captured through a memory-mapped ring of 32 MiB; packets that find it full are counted as lost. An
interface that is removed, as ppp0 or a virtual machine's is, is captured again when one of its name is made (counters
removed and seconds_without), under -u too unless fanout is set or its link layer has become another.`,
		Example: `# Flows of an interface, to a NetFlow collector.
stack = "capture1:PCAP,base1:BASE,flow1:FLOW,netflow1:NETFLOW9"

[capture1]
interface = "eth0"
filter = "not port 2055"

[netflow1]
host = "192.0.2.1"
port = 2055
`,
		Input: func() engine.Input { return &input{} },
	})
}

// input is one instance.
type input struct {
	settings
	columns
	reader
}

// The optional parts of the contract that it implements (engine/plugin.go).
var (
	_ engine.Validator     = (*input)(nil)
	_ engine.Opener        = (*input)(nil)
	_ engine.Closer        = (*input)(nil)
	_ engine.Live          = (*input)(nil)
	_ engine.Backpressured = (*input)(nil)
	_ engine.Namespaced    = (*input)(nil)
	_ engine.Widener       = (*input)(nil)
	_ engine.Foreign       = (*input)(nil)
	_ engine.Doctored      = (*input)(nil)
)

// settings are the options.
type settings struct {
	patterns   []string
	follow     bool
	state      string
	taken      taken
	ifaces     []string
	expression string
	snaplen    uint32
	promisc    bool
	fanout     int
	apart      bool // what the kernel has joined
	place      netns.Follower
}

// reader is where the packets come from.
type reader interface {
	Read(b *engine.Batch, deadline time.Time) error
	Tick(now time.Time)
	Stop()
	Close() error
}

func (in *input) Options(o *engine.Options) {
	o.Strings(&in.patterns, "file", nil, "capture files: paths, globs, or - for the standard input")
	o.Reads("file")
	o.Bool(&in.follow, "follow", false, "watch the directories and globs of file, and read each file in them once, "+
		"when nobody writes it any more; names that begin with a dot are left alone. Without end")
	o.String(&in.state, "follow_state", "",
		"file in which to note what has been read of followed directories, so that the next run does not read it again; "+
			"unset: it does")
	o.Writes("follow_state")
	o.Strings(&in.ifaces, "interface", nil,
		"interfaces to capture from, instead of files, each through a ring of its own; any: all that the network "+
			"namespace has and gets, through one ring, each packet with the index of its own, and with the source address "+
			"of its link layer only")
	o.Bool(&in.place.Wait, "wait", false,
		"start although an interface, its network namespace or a followed directory is not there, and wait for it; "+
			"without, a name that is not there is an error. One that goes away later is always waited for")
	o.String(&in.expression, "filter", "", "take only packets that match this expression in tcpdump's language; of an interface, the kernel leaves out the others")
	engine.Octets(o, &in.snaplen, "snaplen", maxCaplen, "octets of each packet that are captured of an interface")
	o.Bool(&in.promisc, "promisc", true, "have the interface receive what is addressed to others")
	engine.Int(o, &in.fanout, "fanout", 1, "rings among which the kernel spreads an interface's packets by flow, so that processors that receive at the same time do not wait for each other; each ring takes 32 MiB, all are read by one thread")
	o.Bool(&in.apart, "segments", true, "count a packet that the kernel joined of several (GRO), or that the "+
		"interface is going to cut (TSO), as those on the wire, with the octets of their headers. The kernel tells it "+
		"since Linux 6.2, of interfaces with Ethernet headers and of loopback; SCTP that it would cut it does not give "+
		"then, which counts as lost")
	in.place.Option(o, "capture in")
}

// maxFanout bounds the memory of rings; the kernel takes 256 in a group.
const maxFanout = 64

func (in *input) Validate() error {
	var wrong []error
	switch {
	case len(in.patterns) == 0 && !in.captures():
		wrong = append(wrong, errors.New("file: name a capture file, or an interface by the option interface"))
	case len(in.patterns) > 0 && in.captures():
		wrong = append(wrong, errors.New("interface: either file or interface can be read, not both; make another PCAP instance"))
	}
	wrong = append(wrong, in.validateFollow())
	if err := in.eachOnce(); err != nil {
		wrong = append(wrong, fmt.Errorf("interface: %w", err))
	}
	if in.snaplen < 1 || in.snaplen > maxCaplen {
		wrong = append(wrong, fmt.Errorf("snaplen: must be between 1 and %d, is %d", maxCaplen, in.snaplen))
	}
	if in.fanout < 1 || in.fanout > maxFanout {
		wrong = append(wrong, fmt.Errorf("fanout: must be between 1 and %d, is %d", maxFanout, in.fanout))
	}
	if in.expression != "" {
		f, err := filter.Compile(in.expression)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("filter: %w", err))
		}
		if !in.captures() {
			in.filter = f
		}
	}
	return errors.Join(wrong...)
}

// validateFollow checks what is to be followed.
func (s *settings) validateFollow() error {
	switch {
	case !s.follow && s.state != "":
		return errors.New("follow_state: goes with follow = true")
	case s.follow && s.captures():
		return errors.New("follow: goes with file; an interface that goes away and comes back is captured again without it")
	}
	for _, p := range s.patterns {
		if !s.follow {
			break
		}
		if _, err := filepath.Match(p, ""); err != nil {
			return fmt.Errorf("file: %s: %w", p, err)
		}
		if p == standardInput {
			return errors.New("follow: the standard input is read as it comes, and cannot be followed")
		}
	}
	return nil
}

// eachOnce refuses interfaces whose packets would be read twice.
func (s *settings) eachOnce() error {
	for i, name := range s.ifaces {
		switch {
		case slices.Contains(s.ifaces[:i], name):
			return fmt.Errorf("%s is named twice", name)
		case name == anyInterface && len(s.ifaces) > 1:
			return errors.New("any stands for all interfaces; name it alone")
		}
	}
	return nil
}

// Backpressure tells that a file can wait.
func (in *input) Backpressure() bool { return !in.captures() }

// Namespace tells filters behind this input where interface indexes have their names.
func (in *input) Namespace() string { return in.place.Path }

// Entered implements engine.Namespaced.
func (in *input) Entered() uint64 { return in.place.Entered() }

// Foreign tells that a file may be of another machine.
func (in *input) Foreign() bool { return !in.captures() }

// Bind declares the keys and the counters.
func (in *input) Bind(p *engine.Binder) { in.columns.bind(p, in.captures()) }

// Open opens the interface or the first file.
func (in *input) Open(env *engine.Env) (err error) {
	in.columns.open(env)
	switch {
	case in.captures():
		in.reader, err = openCapture(&in.settings, &in.columns, env)
	case in.follow:
		in.reader, err = openFollowed(&in.settings, &in.columns, env)
	default:
		in.reader, err = openFiles(in.patterns, &in.columns, env)
	}
	return err
}

// captures reports whether packets come from interfaces.
func (s *settings) captures() bool { return len(s.ifaces) > 0 }

// Live implements engine.Live: files have an end, interfaces and followed directories have none.
func (in *input) Live() bool { return in.captures() || in.follow }

// Close closes what Open opened.
func (in *input) Close() error {
	if in.reader == nil {
		return nil
	}
	return in.reader.Close()
}
