package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// TestRefusedPlugins are those of ulogd2 that cannot work: the reason is told.
func TestRefusedPlugins(t *testing.T) {
	for stack, reason := range map[string]string{
		"in:ULOG,b:BASE,out:GPRINT":            "Linux has no ULOG target since version 3.17",
		"in:NFLOG,b:BASE,f:PWSNIFF,out:GPRINT": "never let a record pass",
	} {
		out, err := exec.Command(daemon, "-t", "-c", write(t, "ulogd.conf", "[global]\nstack="+stack+"\n[in]\n[out]\n")).CombinedOutput()
		if err == nil || !strings.Contains(string(out), reason) {
			t.Errorf("%s: %v: %s", stack, err, out)
		}
	}
}

// TestOutputThatCannotBeOpened: where no stack is left the daemon says why and ends, and the group
// is free.
func TestOutputThatCannotBeOpened(t *testing.T) {
	nstest.Need(t, "root", "nflog")
	ns := nstest.New(t)
	const bad = `[global]
stack=in:NFLOG,b:BASE,bad:GPRINT
[in]
group=1
[bad]
file=/nowhere/file
`
	config := write(t, "ulogd.conf", bad)
	p := ns.Start(t, daemon+" -v -c "+config)
	if state := p.Wait(time.Minute); state.ExitCode() != 1 || !strings.Contains(p.Output(), "bad:GPRINT: open /nowhere/file: no such file or directory") {
		t.Errorf("%v: %s", state, p.Output())
	}
	ns.Do(t, func() {
		if readers, err := os.ReadFile("/proc/thread-self/net/netfilter/nfnetlink_log"); len(readers) > 0 || err != nil {
			t.Errorf("the group has a reader: %s, %v", readers, err)
		}
	})
}
