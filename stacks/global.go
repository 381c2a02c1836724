// The section [global]: what the daemon itself does.

package stacks

import (
	"fmt"
	"strings"
	"time"

	"ulogd/conf"
	"ulogd/engine"
	"ulogd/engine/value"
)

// Global is the daemon's own settings.
type Global struct {
	LogFile         string
	LogLevel        int
	Control         string
	ControlSet      bool // the configuration says something of it, be it that there is none
	ShutdownTimeout time.Duration
	Compat          string
	Sandbox         string // auto, require, off
	HTTP            HTTP
}

// Options declares the options of [global].
func (g *Global) Options(o *engine.Options) {
	o.String(&g.LogFile, "logfile", "", "where the daemon logs: a path, stdout or syslog; unset: standard error in the foreground, syslog with -d")
	g.LogLevel = 5
	o.Func("loglevel", "level", "5", "least level that is logged: "+LevelNames, value.Int, g.setLevel)
	o.String(&g.Control, "control", "", "path of the unix socket that answers ulogd stats, flows and top; \"\": none; "+
		"unset: /run/ulogd/control.sock, "+
		"without root $XDG_RUNTIME_DIR/ulogd.sock, none if all inputs are files")
	o.Seconds(&g.ShutdownTimeout, "shutdown_timeout", 10*time.Second, "how long SIGTERM waits for what was read to go out")
	g.HTTP.Options(o)
	o.Enum(&g.Sandbox, "sandbox", "auto", []string{"auto", "require", "off"}, "auto: once all is open the daemon has the "+
		"kernel (landlock) refuse it every program and every file but those that its configuration names, what stands "+
		"beside them, and what the system's libraries read, as far as the kernel can; require: or it does not start")
	o.Enum(&g.Compat, "compat", "", []string{"none", "ulogd2"}, "ulogd2: restore everywhere the values that ulogd2 2.0.8 gets wrong")
}

// setLevel reads the level of the log. In a ulogd.conf what stands behind a number is passed over, as by ulogd2.
func (g *Global) setLevel(v engine.Value) (warning string, err error) {
	text := v.Text
	if end := strings.IndexFunc(text, func(c rune) bool { return c < '0' || c > '9' }); v.Kind == value.Word && end > 0 {
		text, warning = text[:end], fmt.Sprintf("%q is not a number; using %s", text, text[:end])
	}
	level, err := ParseLevel(text)
	if err == nil {
		g.LogLevel = level
		return warning, nil
	}
	return "", err
}

func (b *planner) global(g *Global) {
	var opts engine.Options
	g.Options(&opts)
	sec := b.file.Global
	if sec.Name == "" {
		sec.Name = "global"
	}
	for _, o := range sec.Options {
		opt, known := opts.Lookup(o.Name)
		if !known {
			b.unknownOption(sec, o, opts.List(), "the daemon")
			continue
		}
		if warning, err := opt.Set(valueOf(o.Value)); err != nil {
			b.errorf(o.Pos, sec.Name, o.Name, "%v", err)
		} else if warning != "" {
			b.warnf(o.Pos, sec.Name, o.Name, "%s", warning)
		}
	}
	_, g.ControlSet = sec.Lookup("control")
	b.compat = g.Compat
	for _, err := range split(g.HTTP.Validate()) {
		name, text, _ := strings.Cut(err.Error(), ": ")
		o, set := sec.Lookup(name)
		if !set {
			o, _ = sec.Lookup("http")
		}
		b.errorf(o.Pos, sec.Name, name, "%s", text)
	}
}

// KindOf returns how the options of a file are written in TOML: what [conf.File.TOML] asks.
func KindOf(f *conf.File, reg *engine.Registry) func(section, option string) value.Kind {
	options := map[string]*engine.Options{"global": {}}
	(&Global{}).Options(options["global"])
	for _, st := range f.Stacks {
		for i, e := range st.Elements {
			kind := engine.FilterKind
			switch i {
			case 0:
				kind = engine.InputKind
			case len(st.Elements) - 1:
				kind = engine.OutputKind
			}
			if p, ok := reg.Lookup(kind, e.Plugin); ok && p.Refuse == nil {
				options[e.ID] = &engine.NewInstance(p, e.ID).Options
			}
		}
	}
	return func(section, option string) value.Kind {
		if o, ok := options[section]; ok {
			if opt, ok := o.Lookup(option); ok {
				return opt.Kind()
			}
		}
		return value.Word
	}
}
