// What the sandbox refuses to a daemon that has been taken over.

package service

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// intrusion is a daemon whose output tries what it should not.
type intrusion struct {
	*testing.T
	config, mine, others, secret, log string
	cmd                               *exec.Cmd
	ended                             chan struct{}
}

// intrudes starts the daemon and waits until everything has been tried.
func intrudes(t *testing.T, global string, args ...string) *intrusion {
	t.Helper()
	nstest.Need(t, "native", "root")
	dir := t.TempDir()
	for d := dir; d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil { // -u
			t.Fatal(err)
		}
	}
	x := &intrusion{
		T: t, config: filepath.Join(dir, "etc", "x.toml"), mine: filepath.Join(dir, "mine"),
		others: filepath.Join(dir, "others"), secret: filepath.Join(dir, "others", "secret"),
		log: filepath.Join(dir, "log"), ended: make(chan struct{}),
	}
	for _, d := range []string{filepath.Dir(x.config), x.mine, x.others} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{x.mine, x.others} { // other rights are not what keeps it out
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(x.secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	x.configure(global, "")
	binary := filepath.Join(dir, "intruder")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary,
		"./intruder").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	log, err := os.Create(x.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	x.cmd = exec.Command(binary, append(args, "-c", x.config)...)
	x.cmd.Stderr = log
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		x.cmd.Wait()
		close(x.ended)
	}()
	t.Cleanup(func() {
		x.cmd.Process.Kill()
		<-x.ended
	})
	return x
}

func (x *intrusion) configure(global, more string) {
	x.Helper()
	text := fmt.Sprintf(`stack = ["g:GEN,x:INTRUDER"%s]
control = %q
%s
[g]
count = 0
rate = 100
[x]
mine = %q
others = %q
secret = %q
`,
		more, filepath.Join(x.mine, "control"), global, x.mine, x.others, x.secret)
	if err := os.WriteFile(x.config, []byte(text), 0o644); err != nil {
		x.Fatal(err)
	}
}

// logs waits for a line of the log.
func (x *intrusion) logs(want string) string {
	x.Helper()
	var text []byte
	nstest.Eventually(x, time.Minute, func() (err error) {
		if text, err = os.ReadFile(x.log); err == nil && !strings.Contains(string(text), want) {
			err = fmt.Errorf("no %q in the log:\n%s", want, text)
		}
		return err
	})
	return string(text)
}

// results are how each attempt went.
func (x *intrusion) results() map[string]string {
	x.Helper()
	all := map[string]string{}
	for _, m := range regexp.MustCompile(`intruder: (.*): (done|refused)`).FindAllStringSubmatch(x.logs("intruder: over"), -1) {
		all[m[1]] = m[2]
	}
	if len(all) != 18 {
		x.Fatalf("%d attempts: %v", len(all), all)
	}
	return all
}

// allowed is what a daemon must be able to do in its sandbox, whoever it is.
var allowed = map[string]bool{
	"write mine": true, "make mine": true, "rename mine": true, "remove mine": true, "read time zone": true,
	"read hosts": true, "read kernel": true,
}

func TestIntruderInTheSandbox(t *testing.T) {
	for name, args := range map[string][]string{"root": nil, "user": {"-u", "nobody"}} {
		t.Run(name, func(t *testing.T) {
			x := intrudes(t, `sandbox = "require"`, args...)
			for attempt, result := range x.results() {
				if want := map[bool]string{true: "done", false: "refused"}[allowed[attempt]]; result != want {
					t.Errorf("%s: %s, want %s", attempt, result, want)
				}
			}
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", x.cmd.Process.Pid))
			if err != nil {
				t.Fatal(err)
			}
			bounding := map[string]string{"root": "0000000000000000", "user": "0000000000001000"}[name]
			for _, want := range []string{"NoNewPrivs:\t1", "CapAmb:\t0000000000000000", "CapBnd:\t" + bounding} {
				if !strings.Contains(string(status), "\n"+want+"\n") {
					t.Errorf("no %q in\n%s", want, status)
				}
			}
			x.ends()
			if _, err := os.Stat(filepath.Join(x.mine, "control")); err == nil {
				t.Error("the control socket is left behind")
			}
		})
	}
}

// ends asks the daemon to end.
func (x *intrusion) ends() {
	x.Helper()
	x.cmd.Process.Signal(syscall.SIGTERM)
	<-x.ended
	if code := x.cmd.ProcessState.ExitCode(); code != 0 {
		x.Errorf("exit code %d: %s", code, x.logs(""))
	}
}

// Without the sandbox root could do all of it: what the other test finds is the sandbox's doing.
func TestIntruderWithoutASandbox(t *testing.T) {
	x := intrudes(t, `sandbox = "off"`)
	for attempt, result := range x.results() {
		if attempt == "read secret" {
			continue // the attempt before has removed it
		}
		if result != "done" {
			t.Errorf("%s: %s", attempt, result)
		}
	}
	exec.Command("umount", x.mine).Run()
}

// A reload that leads out of the sandbox is refused whole, and says where to; one within it is done.
func TestReloadWithinTheSandbox(t *testing.T) {
	x := intrudes(t, `sandbox = "require"`)
	x.results()
	reload := func() (string, error) {
		c := exec.Command(x.cmd.Path, "reload", "-c", x.config)
		out, err := c.CombinedOutput()
		return string(out), err
	}
	x.configure(`sandbox = "require"`, `, "g:GEN,y:INTRUDER"`)
	text, _ := os.ReadFile(x.config)
	within := string(text) + fmt.Sprintf(`[y]
mine = %q
others = %q
secret = %q
`, x.mine+"/b", x.others, x.secret)
	beyond := strings.Replace(within, x.mine+"/b", x.others, 1)
	if err := os.WriteFile(x.config+".new", []byte(beyond), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(x.config+".new", x.config); err != nil { // as editors do
		t.Fatal(err)
	}
	out, err := reload()
	if err == nil || !strings.Contains(out, x.others+" is out of reach") || !strings.Contains(out, x.config+":12: ") {
		t.Errorf("beyond: %v: %s", err, out)
	}
	if err := os.WriteFile(x.config, []byte(within), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := reload(); err != nil || !strings.Contains(out, "y:INTRUDER") {
		t.Errorf("within: %v: %s", err, out)
	}
	x.ends()
}
