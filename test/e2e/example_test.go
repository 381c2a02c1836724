package e2e

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"
)

const root = "../.."

// TestExampleRunsWithoutRoot runs the first command of the README, as a user without rights if the
// test has them to give away.
func TestExampleRunsWithoutRoot(t *testing.T) {
	c := exec.Command(daemon, "-c", "ulogd.toml.example")
	c.Dir = root
	if os.Getuid() == 0 {
		if err := os.Chmod(strings.TrimSuffix(daemon, "/ulogd"), 0o755); err != nil {
			t.Fatal(err)
		}
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, &stderr)
	}
	for _, want := range []string{
		"tcp    192.0.2.10:50312 ", "icmpv6 2001:db8::10 ", "icmp   192.0.2.10 ",
		" 198.51.100.80:443 ", " 203.0.113.22:22 ", " finished\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no flow with %s in\n%s", want, out)
		}
	}
	for line := range strings.Lines(string(out)) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 120 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// TestEveryStackOfTheExampleIsGood takes the comment sign from every stack.
func TestEveryStackOfTheExampleIsGood(t *testing.T) {
	text, err := os.ReadFile(root + "/ulogd.toml.example")
	if err != nil {
		t.Fatal(err)
	}
	commented := regexp.MustCompile(`(?m)^    # (".*",)$`)
	if n := len(commented.FindAll(text, -1)); n < 15 {
		t.Fatalf("only %d commented stacks found", n)
	}
	path := write(t, "all.toml", commented.ReplaceAllString(string(text), "    $1"))
	if out, err := exec.Command(daemon, "-t", "-c", path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
