// What is on a terminal: as high and as wide as it is, in place of what was there. Into a pipe go plain lines.

package cmd_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"ulogd/test/nstest"
)

// onTerminal runs the program on a terminal of a size until its output matches, and returns that.
func onTerminal(t *testing.T, width, height uint16, until string, args ...string) string {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: height, Col: width}); err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(binary, args...)
	c.Env = append(os.Environ(), "TZ=UTC", "TERM=xterm")
	c.Stdout, c.Stderr = tty, os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	tty.Close()
	ended := make(chan struct{})
	go func() {
		c.Wait()
		close(ended)
	}()
	defer func() {
		c.Process.Kill()
		<-ended
	}()
	re, said, buf := regexp.MustCompile(until), []byte{}, make([]byte, 4096)
	unix.SetNonblock(int(master.Fd()), true)
	for end := time.Now().Add(30 * time.Second); !re.Match(said); {
		n, _ := unix.Read(int(master.Fd()), buf)
		if n > 0 {
			said = append(said, buf[:n]...)
			continue
		}
		if time.Now().After(end) {
			t.Fatalf("ulogd %q: nothing like %q on the terminal:\n%q", args, until, said)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return string(bytes.ReplaceAll(said, []byte("\r\n"), []byte("\n")))
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")

func TestTerminal(t *testing.T) {
	nstest.Need(t, "native") // an emulator has no TPACKET_V3
	alone(t)
	const height = 12
	start(t, "-c", file(t, "flows.toml", `
stack = "in:PCAP,b:BASE,f:FLOW,n:NULL"
loglevel = 3
[in]
interface = "lo"
`)).up()
	for _, args := range [][]string{
		{"flows", "--watch"},
		{"top", "--window", "1s"},
		{"stats", "--watch", "--interval", "200ms"},
	} {
		text := onTerminal(t, 60, height, "\x1b\\[H[^\x1b](?s:.*)\x1b\\[J(?s:.*)\x1b\\[H[^\x1b](?s:.*)\x1b\\[J", args...)
		first := strings.Split(strings.Split(text, "\x1b[J")[0], "\n")
		if len(first)-1 > height {
			t.Errorf("%q: %d lines on a terminal of %d:\n%s", args, len(first)-1, height, strings.Join(first, "\n"))
		}
		for _, line := range first {
			if n := utf8.RuneCountInString(escapes.ReplaceAllString(line, "")); n > 60 {
				t.Errorf("%q: %d columns on a terminal of 60: %q", args, n, line)
			}
		}
	}
	if r := ulogd(t, "top", "--window", "1s", "--count", "2").exits(0); strings.Contains(r.stdout, "\x1b") ||
		strings.Count(r.stdout, "within ") != 2 {
		t.Errorf("into a pipe go\n%q", r.stdout)
	}
}

// Counters of more instances than a terminal has lines: the first, and how many are not shown. What is said of one is
// shown to its end.
func TestStatsOfManyOnATerminal(t *testing.T) {
	alone(t)
	text := "loglevel = 3\nstack = [\n\"g:GEN,i:IPFIX\",\n"
	for i := range 20 {
		text += fmt.Sprintf("\"g:GEN,n%d:NULL\",\n", i)
	}
	start(t, "-c", file(t, "many.toml", text+`]
[g]
count = 0
rate = 10
[i]
host = "127.0.0.1"
port = 9
proto = `+
		"\"tcp\"\n")).up()
	const height = 12
	picture := func(args ...string) []string {
		t.Helper()
		text := onTerminal(t, 70, height, "refused(?s:.*)\x1b\\[J|more lines(?s:.*)\x1b\\[J",
			append([]string{"stats", "--watch"}, args...)...)
		return strings.Split(escapes.ReplaceAllString(strings.Split(text, "\x1b[J")[0], ""), "\n")
	}
	if lines := picture(); len(lines) != height ||
		!regexp.MustCompile(`^\(\d\d more lines: name instances`).MatchString(lines[height-1]) {
		t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	lines := picture("i")
	if all := strings.Join(lines, "\n"); len(lines) > height ||
		!strings.Contains(strings.Join(strings.Fields(all), " "), "connection refused") {
		t.Errorf("%d lines:\n%s", len(lines), all)
	}
	for _, line := range lines {
		if n := utf8.RuneCountInString(line); n > 70 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	once := escapes.ReplaceAllString(onTerminal(t, 70, height, "refused", "stats"), "")
	if !strings.Contains(once, "\nn19 ") && !strings.Contains(once, " n19 ") {
		t.Errorf("shown once, all is shown, but\n%s", once)
	}
}

func TestColoursOnATerminalOnly(t *testing.T) {
	text := onTerminal(t, 120, 50, `\d\d end|finished(?s:.*)forced`, "-r", example)
	if !strings.Contains(text, "\x1b[1mstart") || !strings.Contains(text, "\x1b[32mtcp\x1b[0m") {
		t.Errorf("no colours:\n%q", text)
	}
	for line := range strings.Lines(escapes.ReplaceAllString(text, "")) {
		if n := utf8.RuneCountInString(line) - 1; n > 120 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if r := ulogd(t, "-r", example).exits(0); strings.Contains(r.stdout, "\x1b") {
		t.Errorf("escape codes in a pipe: %q", r.stdout)
	}
	t.Setenv("NO_COLOR", "1")
	if text := onTerminal(t, 120, 50, "finished(?s:.*)forced", "-r", example); strings.Contains(text, "\x1b[") {
		t.Errorf("colours in spite of NO_COLOR: %q", text)
	}
}

// On a terminal descriptions of plugins are broken between words.
func TestPluginsOnATerminal(t *testing.T) {
	text := onTerminal(t, 70, 50, `XML +output +(?s:.*)\n`, "plugins")
	list := strings.Fields(ulogd(t, "plugins").exits(0).stdout)
	words := map[string]bool{}
	for _, w := range list {
		words[w] = true
	}
	for line := range strings.Lines(escapes.ReplaceAllString(text, "")) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 70 {
			t.Errorf("%d columns: %s", n, line)
		}
		for _, w := range strings.Fields(line) {
			if !words[w] {
				t.Errorf("%q is half of a word", w)
			}
		}
	}
}
