// Package xml is the XML output: one element per record, in the shape that the netfilter libraries give them.
package xml

import (
	"path/filepath"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/engine/logfile"
	"ulogd/engine/text"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "XML", Kind: engine.OutputKind, MayBlock: true,
		Doc: `Writes one element per record to DIRECTORY/ulogd-KIND-DDMMYYYY-HHMMSS.xml: packets as <log> (KIND pkt), flows as <flow> (KIND flow), counters as
<obj> (KIND sum). What the stack begins with decides.

The file's closing tag is written at the end, and at SIGHUP, which begins a new file. Texts from outside are escaped; characters that XML does not
allow become U+FFFD. Packets of any size are written.`,
		New: func() any { return &xml{now: text.Second{Format: appendNow}, when: text.Second{Format: appendWhen}} },
	})
}

type xml struct {
	logfile.File
	directory string
	stdout    bool

	kind *kind
	now  text.Second // <hour> to <year>
	when text.Second // the same inside <when>
}

// kind is one of the three shapes of files.
type kind struct{ name, root string }

var (
	packets  = &kind{"pkt", "packet"}
	flows    = &kind{"flow", "conntrack"}
	counters = &kind{"sum", "sum"}
)

func (x *xml) Options(o *engine.Options) {
	o.String(&x.directory, "directory", "/var/log/", "where files are made")
	x.DeclareSync(o)
	o.Bool(&x.stdout, "stdout", false, "write to standard output instead")
}

func (x *xml) Bind(p *engine.Binder) engine.Stage {
	p.OwnAccounting()
	switch {
	case engine.Want(p, key.SumName).Given():
		x.is(p, counters)
		return bindCounters(p, x)
	case engine.Want(p, key.OrigSaddr).Given():
		x.is(p, flows)
		return bindFlows(p, x)
	}
	x.is(p, packets)
	return bindPackets(p, x)
}

// is makes files of that kind. An instance that two stacks name has one file, and so one kind.
func (x *xml) is(p *engine.Binder, k *kind) {
	if x.kind != nil && x.kind != k {
		p.Problem("writes files of kind %s for one stack and %s for another; use two instances", x.kind.name, k.name)
	}
	x.kind = k
	x.Header = func() []byte { return []byte("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<" + k.root + ">\n") }
	x.Footer = "</" + k.root + ">\n"
	if x.stdout {
		x.Path = "/dev/stdout"
		return
	}
	x.Name = func(now time.Time) string {
		return filepath.Join(x.directory, "ulogd-"+k.name+now.Format("-02012006-150405.xml"))
	}
}
