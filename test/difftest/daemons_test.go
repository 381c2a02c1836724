package difftest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/test/nstest"
)

// startTimeout is how long a daemon may take to start, or to write: the machine may be busy.
const startTimeout = 30 * time.Second

// output is a stack and the file that it makes.
type output struct {
	name    string
	stack   string
	config  string // of its output; FILE is the path, DIR its folder
	split   func([]byte) ([]string, error)
	between string // what stands between the fields of a record
}

// file is the path of an output's file. XML names its own.
func (o output) file(dir string) string {
	if found, _ := filepath.Glob(dir + "/ulogd-*-*.xml"); o.name == "xml" && len(found) == 1 {
		return found[0]
	}
	return filepath.Join(dir, o.name)
}

var outputs = []output{
	{"logemu", "b:BASE,i:IFINDEX,s:IP2STR,p:PRINTPKT,%s:LOGEMU", "file=FILE\nsync=1", logLines, " "},
	{"syslog", "b:BASE,i:IFINDEX,s:IP2STR,p:PRINTPKT,%s:SYSLOG", "facility=LOG_LOCAL2", logDatagrams, " "},
	{"gprint", "b:BASE,i:IFINDEX,s:IP2STR,h:HWHDR,%s:GPRINT", "file=FILE\nsync=1", fieldLines, ","},
	{"gprint-bin", "b:BASE,j:IP2HBIN,k:IP2BIN,%s:GPRINT", "file=FILE\nsync=1", fieldLines, ","},
	{"oprint", "b:BASE,i:IFINDEX,s:IP2STR,h:HWHDR,%s:OPRINT", "file=FILE\nsync=1", blocks, "\n"},
	{"json", "b:BASE,i:IFINDEX,s:IP2STR,h:HWHDR,%s:JSON", "file=FILE\nsync=1", fieldLines, `, "`},
	{"pcap", "b:BASE,%s:PCAP", "file=FILE\nsync=1", pcapRecords, " "},
	{"xml", "%s:XML", "directory=DIR\nsync=1", xmlElements, "><"},
	{"json-event", "b:BASE,i:IFINDEX,s:IP2STR,h:HWHDR,%s:JSON", "file=FILE\nsync=1\neventv1=1\nboolean_label=1\ndevice=\"fw one\"", fieldLines, `, "`},
}

// input is the stacks' input: its plugin, and its settings in a folder. ulogd2's UNIXSOCK feeds one
// stack only, so that each has one of its own.
type input struct {
	plugin   string
	own      bool
	settings func(dir, output string) string
}

func (in input) id(o output) string {
	if in.own {
		return "in-" + o.name
	}
	return "in"
}

// config is a ulogd.conf for an input and outputs.
func config(dir string, in input, outs []output, settings ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[global]\nlogfile=%q\nloglevel=3\n", dir+"/daemon.log")
	for _, s := range settings {
		b.WriteString(s + "\n")
	}
	for _, o := range outs {
		stack := o.stack
		if in.plugin == "UNIXSOCK" { // which gives names of interfaces itself
			stack = strings.Replace(stack, "i:IFINDEX,", "", 1)
		}
		fmt.Fprintf(&b, "stack=%s:%s,%s\n", in.id(o), in.plugin, fmt.Sprintf(stack, o.name))
	}
	for i, o := range outs {
		if in.own || i == 0 {
			fmt.Fprintf(&b, "[%s]\n%s\n", in.id(o), in.settings(dir, o.name))
		}
		fmt.Fprintf(&b, "[%s]\n%s\n", o.name, strings.NewReplacer("FILE", `"`+filepath.Join(dir, o.name)+`"`, "DIR", `"`+dir+`"`).Replace(o.config))
	}
	return b.String()
}

// daemon is a running one and the folder that its files are in.
type daemon struct {
	name string
	dir  string
	outs []output
	proc *nstest.Proc
}

// startULOGD2 starts Debian's ulogd2.
func startULOGD2(t *testing.T, ns *nstest.NS, in input, outs []output) *daemon {
	var load []string
	files, _ := filepath.Glob("/usr/lib/*/ulogd/*.so")
	for _, f := range files {
		load = append(load, fmt.Sprintf("plugin=%q", f))
	}
	return start(t, ns, "ulogd2", "/usr/sbin/ulogd", in, outs, load...)
}

// startOurs starts this daemon.
func startOurs(t *testing.T, ns *nstest.NS, name string, in input, outs []output, settings ...string) *daemon {
	return start(t, ns, name, built.Path(t), in, outs, settings...)
}

func start(t *testing.T, ns *nstest.NS, name, program string, in input, outs []output, settings ...string) *daemon {
	d := &daemon{name: name, dir: t.TempDir(), outs: outs}
	path := filepath.Join(d.dir, "ulogd.conf")
	if err := os.WriteFile(path, []byte(config(d.dir, in, outs, settings...)), 0o600); err != nil {
		t.Fatal(err)
	}
	systemLog(t, d.dir)
	d.proc = ns.Start(t, "sh -c", ownLog, d.dir, program, "-v", "-c", path)
	return d
}

// built is this daemon.
var built nstest.Daemon

func TestMain(m *testing.M) { os.Exit(built.Main(m)) }

// records waits until every file has n records, ends the daemon and returns the records by output.
func (d *daemon) records(t *testing.T, n int) map[string][]string {
	t.Helper()
	var got map[string][]string
	nstest.Eventually(t, startTimeout, func() error {
		got = map[string][]string{}
		var errs []error
		for _, o := range d.outs {
			content, err := os.ReadFile(o.file(d.dir))
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
	if d.name == "ulogd2" { // which may crash at SIGTERM when stacks share an input; what it wrote is there by now
		d.proc.Stop(unix.SIGKILL)
	} else if state := d.proc.Stop(unix.SIGTERM); state.ExitCode() != 0 {
		t.Errorf("%s ended with %v", d.name, state)
	}
	return got
}

// wellFormed has other programs read the files of formats that a packet's prefix could break.
func (d *daemon) wellFormed(t *testing.T, n int) {
	t.Helper()
	for _, o := range d.outs {
		var reader *exec.Cmd
		switch file := o.file(d.dir); o.name {
		case "json", "json-event":
			reader = exec.Command("jq", "-s", "length", file)
		case "xml":
			reader = exec.Command("xmllint", "--xpath", "count(/*/*)", file)
		default:
			continue
		}
		if out, err := reader.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != fmt.Sprint(n) {
			t.Errorf("%s: %s: %v: %s; want %d records", d.name, reader, err, out, n)
		}
	}
}
