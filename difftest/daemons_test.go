package difftest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine/nstest"
)

// output is a stack and the file that it makes.
type output struct {
	name   string
	stack  string
	config string // of its output; FILE is the path
	split  func([]byte) ([]string, error)
}

var outputs = []output{
	{"logemu", "b:BASE,i:IFINDEX,s:IP2STR,p:PRINTPKT,%s:LOGEMU", "file=FILE\nsync=1", logLines},
	{"gprint", "b:BASE,i:IFINDEX,s:IP2STR,h:HWHDR,%s:GPRINT", "file=FILE\nsync=1", fieldLines},
	{"gprint-bin", "b:BASE,j:IP2HBIN,k:IP2BIN,%s:GPRINT", "file=FILE\nsync=1", fieldLines},
	{"oprint", "b:BASE,i:IFINDEX,s:IP2STR,h:HWHDR,%s:OPRINT", "file=FILE\nsync=1", blocks},
	{"json", "b:BASE,i:IFINDEX,s:IP2STR,h:HWHDR,%s:JSON", "file=FILE\nsync=1", fieldLines},
	{"json-event", "b:BASE,i:IFINDEX,s:IP2STR,h:HWHDR,%s:JSON", "file=FILE\nsync=1\neventv1=1\nboolean_label=1\ndevice=\"fw one\"", fieldLines},
	{"nacct", "b:BASE,s:IP2STR,%s:NACCT", "file=FILE\nsync=1", nacctLines},
	{"pcap", "b:BASE,%s:PCAP", "file=FILE\nsync=1", pcapRecords},
}

// input is the stacks' input.
type input struct{ plugin, config string }

// config is a ulogd.conf for an input and all outputs.
func config(dir string, in input, settings ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[global]\nlogfile=%q\nloglevel=5\n", dir+"/daemon.log")
	for _, s := range settings {
		b.WriteString(s + "\n")
	}
	for _, o := range outputs {
		fmt.Fprintf(&b, "stack=in1:%s,%s\n", in.plugin, fmt.Sprintf(o.stack, o.name))
	}
	b.WriteString("[in1]\n" + in.config + "\n")
	for _, o := range outputs {
		fmt.Fprintf(&b, "[%s]\n%s\n", o.name, strings.ReplaceAll(o.config, "FILE", `"`+filepath.Join(dir, o.name)+`"`))
	}
	return b.String()
}

// daemon is a running one and the folder that its files are in.
type daemon struct {
	name string
	dir  string
	proc *nstest.Proc
}

// startULOGD2 starts Debian's ulogd2.
func startULOGD2(t *testing.T, ns *nstest.NS, in input) *daemon {
	var load []string
	files, _ := filepath.Glob("/usr/lib/*/ulogd/*.so")
	for _, f := range files {
		load = append(load, fmt.Sprintf("plugin=%q", f))
	}
	return start(t, ns, "ulogd2", "/usr/sbin/ulogd", in, load...)
}

// startOurs starts this daemon.
func startOurs(t *testing.T, ns *nstest.NS, name string, in input, settings ...string) *daemon {
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return start(t, ns, name, path, in, settings...)
}

func start(t *testing.T, ns *nstest.NS, name, program string, in input, settings ...string) *daemon {
	d := &daemon{name: name, dir: t.TempDir()}
	path := filepath.Join(d.dir, "ulogd.conf")
	if err := os.WriteFile(path, []byte(config(d.dir, in, settings...)), 0o600); err != nil {
		t.Fatal(err)
	}
	d.proc = ns.Start(t, program+" -v -c "+path)
	return d
}

// build builds this daemon once.
var build = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildDir, "ulogd")
	out, err := exec.Command("go", "build", "-o", path, "ulogd/cmd/ulogd").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the daemon: %w: %s", err, out)
	}
	return path, nil
})

var buildDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "difftest")
	if err != nil {
		panic(err)
	}
	buildDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// records waits until every file has n records, ends the daemon and returns the records by output.
func (d *daemon) records(t *testing.T, n int) map[string][]string {
	t.Helper()
	var got map[string][]string
	nstest.Eventually(t, 30*time.Second, func() error {
		got = map[string][]string{}
		var errs []error
		for _, o := range outputs {
			content, err := os.ReadFile(filepath.Join(d.dir, o.name))
			if err == nil {
				got[o.name], err = o.split(content)
			}
			if err == nil && len(got[o.name]) != n {
				err = fmt.Errorf("%d of %d records", len(got[o.name]), n)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %s: %w", d.name, o.name, err))
			}
		}
		return errors.Join(errs...)
	})
	// ulogd2 may crash at SIGTERM when stacks share an input; what it wrote is there by then.
	d.proc.Stop(unix.SIGKILL)
	return got
}
