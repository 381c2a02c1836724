// Package xml is the XML output: one element per record, in the shape that the netfilter libraries
// give them.
package xml

import (
	"path/filepath"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/engine/text"
	"ulogd/engine/zone"
	"ulogd/plugins/output/sink"
	"ulogd/plugins/output/sink/logfile"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "XML",
		Doc: `Writes one element per record to DIRECTORY/ulogd-KIND-DDMMYYYY-HHMMSS.xml: packets as <log> (KIND pkt), flows as <flow> (KIND flow), counters as
<obj> (KIND sum). What the stack begins with decides; an instance that several stacks name has a file for each kind.

The file's closing tag is written at the end, and at SIGHUP, which begins a new file. Texts from outside are escaped; characters that XML does not
allow become U+FFFD. Packets of any size are written.`,
		Example: `stack = "acct1:NFACCT,xml1:XML"

[acct1]
pollinterval = 60

[xml1]
directory = "/var/log/ulog/"
`,
		Output: func() engine.Output { return &xml{} },
	})
}

type xml struct {
	sink.Sink
	settings  logfile.File
	directory string
	stdout    bool
	documents []*document // one for each kind that stacks bring
}

// document is the files of one kind.
type document struct {
	*sink.Writer
	file logfile.File
	kind string
	now  text.Second // <hour> to <year>
	when text.Second // the same inside <when>
}

func (x *xml) Options(o *engine.Options) {
	o.String(&x.directory, "directory", "/var/log/", "where files are made")
	o.Fills("directory")
	x.settings.DeclareSync(o)
	o.Bool(&x.stdout, "stdout", false, "write to standard output instead")
}

func (x *xml) Bind(p *engine.Binder) engine.Stage {
	switch {
	case engine.Want(p, key.SumName).Given():
		return bindCounters(p, x.document(p, "sum", "sum"))
	case engine.Want(p, key.OrigSaddr).Given():
		return bindFlows(p, x.document(p, "flow", "conntrack"))
	}
	return bindPackets(p, x.document(p, "pkt", "packet"))
}

// document binds the stack to the files of a kind, whose root element has that name.
func (x *xml) document(p *engine.Binder, kind, root string) *document {
	d := x.filesOf(p, kind, root)
	d.Writer = x.Sink.Bind(p, &d.file)
	return d
}

func (x *xml) filesOf(p *engine.Binder, kind, root string) *document {
	for _, d := range x.documents {
		if d.kind == kind {
			return d
		}
	}
	d := &document{
		file: logfile.File{Sync: x.settings.Sync, Footer: "</" + root + ">\n"}, kind: kind,
		now: text.Second{Format: appendNow}, when: text.Second{Format: appendWhen},
	}
	d.file.Header = func() []byte { return []byte("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<" + root + ">\n") }
	d.file.Name = func(now time.Time) string {
		return filepath.Join(x.directory, "ulogd-"+kind+now.In(zone.Local()).Format("-02012006-150405.xml"))
	}
	if x.stdout {
		d.file.Path, d.file.Name = "/dev/stdout", nil
		if len(x.documents) > 0 {
			p.Problem("writes %s for one stack and %s for another to standard output; use files", x.documents[0].kind, kind)
		}
	}
	x.documents = append(x.documents, d)
	return d
}
