// Package page is the page on which an operator sees the daemon at work: one document, with style
// and scripts of its own, that is told once a second how the stacks stand.
package page

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"ulogd/engine"
	"ulogd/engine/question"
)

// A Daemon is what the page shows.
type Daemon struct {
	Machine *engine.Machine
	Version string
	Config  string // the file
	Since   time.Time
	Missing func() []string               // stacks of the file that are left out
	Doctor  func() []engine.DoctorFinding // looks at the machine, which takes a moment
	Log     func() []string               // the last lines of the log, oldest first
}

//go:embed assets
var embedded embed.FS

// A Page answers what stands behind the gate: the document and what it asks for.
type Page struct {
	Daemon
	log     *slog.Logger
	mux     *http.ServeMux
	viewers chan struct{} // a place for each stream of events
	series  *series
	pace    pacer // of looks at all flows
	meter   *question.Meter

	looking  sync.Mutex // guards what doctor found, and when
	findings []finding
	looked   time.Time
}

// maxViewers bounds how many look on at the same time.
const maxViewers = 16

// New makes the page. ctx ends when the daemon does.
func New(ctx context.Context, d Daemon, log *slog.Logger) *Page {
	p := &Page{
		Daemon: d, log: log, mux: http.NewServeMux(), viewers: make(chan struct{}, maxViewers), series: &series{},
		meter: question.NewMeter(d.Machine, meterShare),
	}
	go p.series.keep(ctx, d.Machine)
	p.mux.HandleFunc("GET /{$}", func(rw http.ResponseWriter, r *http.Request) { p.asset(rw, "index.html") })
	p.mux.HandleFunc("GET /assets/{name}",
		func(rw http.ResponseWriter, r *http.Request) { p.asset(rw, r.PathValue("name")) })
	p.mux.HandleFunc("GET /api/about", p.about)
	p.mux.HandleFunc("GET /api/events", p.events)
	p.mux.HandleFunc("GET /api/series", p.history)
	p.mux.HandleFunc("GET /api/flows", p.flows)
	p.mux.HandleFunc("GET /api/talkers", p.talkers)
	p.mux.HandleFunc("GET /api/doctor", p.doctor)
	p.mux.HandleFunc("GET /api/log", func(rw http.ResponseWriter, _ *http.Request) { answer(rw, p.Log()) })
	p.mux.HandleFunc("GET /api/manual/{kind}/{name}", p.manual)
	return p
}

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(rw http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(rw, r) }

var types = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

func (p *Page) asset(rw http.ResponseWriter, name string) {
	text, err := fs.ReadFile(embedded, "assets/"+name)
	if err != nil {
		http.Error(rw, "there is no such file", http.StatusNotFound)
		return
	}
	rw.Header().Set("Content-Type", types[path.Ext(name)])
	rw.Write(text)
}

// answer writes JSON. In strings the characters of markup are escaped.
func answer(rw http.ResponseWriter, v any) {
	rw.Header().Set("Content-Type", "application/json")
	json.NewEncoder(rw).Encode(v)
}

// about is what changes with a reload only.
func (p *Page) about(rw http.ResponseWriter, _ *http.Request) {
	type path struct {
		Name      string `json:"name"`
		Instances []int  `json:"instances"`
	}
	about := struct {
		Version string    `json:"version"`
		Config  string    `json:"config"`
		Since   time.Time `json:"since"`
		Missing []string  `json:"missing"`
		Changes int       `json:"changes"`
		Paths   []path    `json:"paths"`
		// Docs say what each reason and counter means, by the place of the instance and by name.
		Docs []map[string]string `json:"docs"`
	}{Version: p.Version, Config: p.Config, Since: p.Since, Missing: p.Missing()}
	survey := p.Machine.Survey()
	about.Changes = survey.Changes
	for _, st := range survey.Paths {
		about.Paths = append(about.Paths, path{st.Name, st.Instances})
	}
	for _, s := range survey.Snapshots {
		docs := map[string]string{}
		for _, list := range [][]engine.Reading{s.Drops, s.Exclusions, s.Losses, s.Counters, s.Figures} {
			for _, r := range list {
				docs[r.Name], _ = s.Doc(r.Name)
			}
		}
		about.Docs = append(about.Docs, docs)
	}
	answer(rw, about)
}

// events tells a viewer once a second how all instances stand, as server-sent events.
func (p *Page) events(rw http.ResponseWriter, r *http.Request) {
	select {
	case p.viewers <- struct{}{}:
		defer func() { <-p.viewers }()
	default:
		http.Error(rw, fmt.Sprintf("%d look on already; close one of these pages", maxViewers), http.StatusServiceUnavailable)
		return
	}
	rw.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(rw)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		survey := p.Machine.Survey()
		state := struct {
			At        time.Time         `json:"at"`
			Instances []engine.Snapshot `json:"instances"`
			Changes   int               `json:"changes"`
		}{time.Now(), survey.Snapshots, survey.Changes}
		text, err := json.Marshal(state)
		if err != nil {
			p.log.Error("the page cannot be told of the counters", "error", err)
			return
		}
		control.SetWriteDeadline(time.Now().Add(10 * time.Second))
		if _, err := fmt.Fprintf(rw, "event: state\ndata: %s\n\n", text); err != nil || control.Flush() != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		}
	}
}

// finding is an [engine.DoctorFinding] as the page takes it.
type finding struct {
	Where []string `json:"where"`
	What  string   `json:"what"`
	Why   string   `json:"why"`
	Mend  string   `json:"mend"`
}

// doctorEvery is how long what doctor found is told again.
const doctorEvery = 20 * time.Second

func (p *Page) history(rw http.ResponseWriter, _ *http.Request) { answer(rw, p.series.read()) }

func (p *Page) doctor(rw http.ResponseWriter, _ *http.Request) {
	p.looking.Lock()
	defer p.looking.Unlock()
	if time.Since(p.looked) > doctorEvery {
		p.findings = []finding{}
		for _, f := range p.Doctor() {
			p.findings = append(p.findings, finding(f))
		}
		p.looked = time.Now()
	}
	answer(rw, p.findings)
}

// manual is that of a plugin in use.
func (p *Page) manual(rw http.ResponseWriter, r *http.Request) {
	for _, plugin := range engine.Default.Plugins() {
		if plugin.Name != r.PathValue("name") || plugin.Kind().String() != r.PathValue("kind") || plugin.Refuse != nil {
			continue
		}
		type entry struct {
			Name    string `json:"name"`
			Type    string `json:"type"`
			Default string `json:"default,omitempty"`
			Doc     string `json:"doc"`
		}
		keys := func(list []*engine.KeyInfo) (out []entry) {
			for _, k := range list {
				out = append(out, entry{Name: k.Name, Type: k.Type.String(), Doc: strings.TrimSpace(k.Doc + " " + k.Unit)})
			}
			return out
		}
		m := engine.Describe(plugin)
		var options []entry
		for _, o := range m.Options {
			options = append(options, entry{o.Name, o.Type, o.Default, o.Doc})
		}
		answer(rw, map[string]any{
			"name": plugin.Name, "kind": plugin.Kind().String(), "doc": plugin.Doc, "example": strings.TrimSpace(plugin.Example),
			"options": options, "needs": keys(m.Needs), "wants": keys(m.Wants), "gives": keys(m.Gives),
		})
		return
	}
	http.Error(rw, "there is no such plugin", http.StatusNotFound)
}
