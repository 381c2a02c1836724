package cmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// Every thread becomes the user and keeps CAP_NET_ADMIN (bit 12) alone, and with it conntrack can still be read.
func TestUserSwitch(t *testing.T) {
	nstest.Need(t, "nf_conntrack", "tool:conntrack")
	nobody := userNobody(t)
	ns := nstest.New(t)
	nstest.EnableConntrack(t, ns)
	dir := t.TempDir()
	openForAll(t, dir)
	socket := filepath.Join(dir, "control")
	path := file(t, "x.toml", `
stack = "ct:NFCT,p:PRINT"
loglevel = 3
control = "`+socket+`"
[ct]
hash_enable = false
`)
	p := ns.Start(t, binary+" -u nobody -c "+path)
	p.WaitOutput("entering main loop", time.Minute)
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.PID()))
	if err != nil || len(tasks) < 2 {
		t.Fatalf("threads: %v, %v", tasks, err)
	}
	id := nobody.Uid
	for _, task := range tasks {
		status := read(t, task)
		for name, want := range map[string]string{
			"Uid":    strings.Join([]string{id, id, id, id}, "\t"),
			"Gid":    strings.Join([]string{nobody.Gid, nobody.Gid, nobody.Gid, nobody.Gid}, "\t"),
			"CapInh": "0000000000000000", "CapPrm": "0000000000001000", "CapEff": "0000000000001000", "CapAmb": "0000000000000000",
			"CapBnd": "0000000000001000", "NoNewPrivs": "1",
		} {
			if !strings.Contains(status, "\n"+name+":\t"+want+"\n") {
				t.Errorf("%s: %s is not %q:\n%s", task, name, want, status)
			}
		}
	}
	nstest.FillConntrack(t, ns, 3)
	p.WaitOutput("orig.ip.saddr=10.0.0.3 ", time.Minute)
	// The user may ask, with the same program, on the socket that is hers now.
	ask := exec.Command("setpriv", "--reuid", "nobody", "--clear-groups", binary, "stats", "-c", path)
	openForAll(t, filepath.Dir(path))
	finish(t, ask).exits(0).says("NFCT")
	if state := p.Stop(os.Interrupt); state.ExitCode() != 0 {
		t.Errorf("%v", state)
	}
}

// openForAll lets every user look into the test's directory and those above it.
func openForAll(t *testing.T, dir string) {
	t.Helper()
	for ; dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUnknownUser(t *testing.T) {
	for _, name := range []string{"no-such-user", "65534"} { // numbers are refused, as by ulogd2
		ulogd(t, "-u", name, "-c", conf(t, "")).exits(1).says("unknown user " + name)
	}
}

func TestUserSwitchWithoutRoot(t *testing.T) {
	needRoot(t)
	path := conf(t, "")
	openForAll(t, filepath.Dir(path))
	c := exec.Command("setpriv", "--reuid", "nobody", "--clear-groups", binary, "-u", "root", "-c", path)
	finish(t, c).exits(1).says("-u root: ", "operation not permitted")
}
