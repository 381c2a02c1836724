// What the documentation shows is what the daemon takes and prints.

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestConfigurationsOfTheDocumentation checks every configuration of the README and of docs/. The
// plugins' pages have a test of their own, and so has docs/writing-a-plugin.md, whose plugins this
// daemon does not know.
func TestConfigurationsOfTheDocumentation(t *testing.T) {
	pages, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)\n```(toml|ini)\n(.*?)```\n")
	checked := 0
	for _, path := range append(pages, root+"/README.md") {
		if filepath.Base(path) == "writing-a-plugin.md" {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range block.FindAllStringSubmatch(string(text), -1) {
			name := map[string]string{"toml": "ulogd.toml", "ini": "ulogd.conf"}[m[1]]
			if out, err := exec.Command(daemon, "-t", "-c", write(t, fmt.Sprint(i, name), m[2])).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s\n%s", path, err, out, m[2])
			}
			checked++
		}
	}
	if checked < 3 {
		t.Errorf("only %d configurations found", checked)
	}
}

// TestSamplesOfTheREADME compares the lines that the README shows with what its first two commands
// print.
func TestSamplesOfTheREADME(t *testing.T) {
	text, err := os.ReadFile(root + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	samples := regexp.MustCompile("(?s)<!-- sample.*?-->\n```\n(.*?)```\n").FindAllStringSubmatch(string(text), -1)
	if len(samples) != 2 {
		t.Fatalf("%d samples, want 2", len(samples))
	}
	run := func(args ...string) string {
		c := exec.Command(daemon, args...)
		c.Dir = root
		c.Env = append(os.Environ(), "TZ=UTC")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	unwrapped := strings.ReplaceAll(samples[0][1], "\n  ", " ")
	for i, printed := range []string{run("-c", "ulogd.toml.example"), run("-t", "-v", "-c", "ulogd.toml.example")} {
		for line := range strings.Lines([]string{unwrapped, samples[1][1]}[i]) {
			if !strings.Contains(squeeze(printed), squeeze(line)) { // the table has room for longer addresses
				t.Errorf("README shows\n%swhich is not in\n%s", line, printed)
			}
		}
	}
}

// squeeze makes one blank of several.
func squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }
