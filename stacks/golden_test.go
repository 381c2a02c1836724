// Configurations, and what the daemon makes of them: who gives which key to whom, or what is wrong. Each file of testdata has a configuration, a line of dashes,
// and the explanation or the problems. `go test ./stacks -run Golden -update` renews them.

package stacks_test

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ulogd/conf"
	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/stacks"
)

var update = flag.Bool("update", false, "write testdata/*.txt anew")

const dashes = "\n----\n"

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no files in testdata: ", err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".txt") // ends in .conf or .toml
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			config, want, _ := strings.Cut(string(text), dashes)
			got := explain(name, config+"\n")
			if *update {
				if err := os.WriteFile(path, []byte(config+dashes+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("%s\nbecomes\n%s\nwant\n%s", config, got, want)
			}
		})
	}
}

// explain builds a configuration with a few plugins of this test's own, which stay as they are.
func explain(name, text string) string {
	var b strings.Builder
	file, problems := conf.Parse(name, []byte(text))
	plan, more := stacks.Build(file, registry(), slog.New(slog.DiscardHandler))
	problems = append(problems, more...)
	problems.Sort()
	for _, p := range problems {
		level := "error"
		if p.Warning {
			level = "warning"
		}
		fmt.Fprintf(&b, "%s: %v\n", level, p)
	}
	if len(problems.Errors()) == 0 || file.Grammar == conf.Ulogd {
		plan.Explain(&b)
	}
	return b.String()
}

func registry() *engine.Registry {
	r := &engine.Registry{}
	r.Register(engine.Plugin{Name: "PACKETS", Doc: "gives packets", Input: func() engine.Input { return &packets{} }})
	r.Register(engine.Plugin{Name: "CONNECTIONS", Doc: "gives flows", Input: func() engine.Input { return &connections{} }})
	r.Register(engine.Plugin{Name: "HEADERS", Doc: "takes packets apart", Filter: func() engine.Filter { return headers{} }})
	r.Register(engine.Plugin{Name: "FLOWS", Doc: "makes flows of packets", Filter: func() engine.Filter { return flows{} }})
	r.Register(engine.Plugin{Name: "COLLECTOR", Doc: "takes flows", Output: func() engine.Output { return &collector{} }})
	r.Register(engine.Plugin{Name: "SCREEN", Doc: "takes everything", Output: func() engine.Output { return &screen{} }})
	r.Register(engine.Plugin{Name: "NARROW", Doc: "takes marks as 8 bits", Output: func() engine.Output { return narrow{} }})
	r.Register(engine.Plugin{Name: "OLD", Refuse: &engine.Refusal{Kind: engine.InputKind, Why: "the kernel dropped it; use PACKETS"}})
	return r
}

type packets struct {
	group int
	file  string
}

func (i *packets) Options(o *engine.Options) {
	engine.Int(o, &i.group, "group", 0, "netlink group")
	o.String(&i.file, "file", "", "capture")
}

func (i *packets) Validate() error {
	var errs []error
	if i.group < 0 {
		errs = append(errs, fmt.Errorf("group: must not be negative, is %d", i.group))
	}
	if i.group > 0 && i.file != "" {
		errs = append(errs, errors.New("file: cannot be read along with a group; leave one of them out"))
	}
	return errors.Join(errs...)
}

func (i *packets) Bind(p *engine.Binder) {
	g := p.Group()
	engine.Give(p, g, key.RawPkt)
	engine.Give(p, g, key.OOBTime)
	engine.Give(p, g, key.OOBMark)
	engine.Give(p, g, key.OOBFamily)
}

func (i *packets) Read(*engine.Batch, time.Time) error { return nil }

type connections struct{}

func (connections) Options(*engine.Options) {}

func (connections) Bind(p *engine.Binder) {
	g := p.Group()
	engine.Give(p, g, key.OOBFamily)
	engine.Give(p, g, key.OrigSaddr)
	engine.Give(p, g, key.OrigDaddr)
	engine.Give(p, g, key.OrigOctets)
	engine.Give(p, g, key.FlowStart)
}

func (connections) Read(*engine.Batch, time.Time) error { return nil }

type nothing struct{}

func (nothing) Consume(*engine.Batch) {}

type headers struct{}

func (headers) Options(*engine.Options) {}

func (headers) Bind(p *engine.Binder) engine.Stage {
	engine.Need(p, key.RawPkt)
	engine.Need(p, engine.OOBFamily)
	g := p.Group()
	engine.Give(p, g, key.IPSaddr)
	engine.Give(p, g, key.IPDaddr)
	engine.Give(p, g, key.IPProtocol)
	return nothing{}
}

type flows struct{}

func (flows) Options(*engine.Options) {}

func (flows) Bind(p *engine.Binder) engine.Stage {
	engine.Need(p, key.IPSaddr)
	engine.Need(p, key.IPDaddr)
	engine.Want(p, key.OOBTime)
	p.Restart()
	connections{}.Bind(p)
	return nothing{}
}

type collector struct {
	host []string
	port uint16
}

func (c *collector) Options(o *engine.Options) {
	o.Strings(&c.host, "host", nil, "where to send")
	engine.Int(o, &c.port, "port", 4739, "port")
}

func (c *collector) Validate() error {
	if len(c.host) == 0 {
		return errors.New(`host: must name a collector, such as host = "192.0.2.1"`)
	}
	return nil
}

func (c *collector) Bind(p *engine.Binder) engine.Stage {
	engine.Need(p, key.OrigSaddr)
	engine.Need(p, key.OrigDaddr)
	engine.Need(p, key.OrigOctets)
	engine.Want(p, key.FlowStart)
	return nothing{}
}

type screen struct{ keys engine.Selection }

func (s *screen) Options(o *engine.Options) { s.keys.Options(o) }

func (s *screen) Bind(p *engine.Binder) engine.Stage {
	s.keys.Fields(p)
	return nothing{}
}
