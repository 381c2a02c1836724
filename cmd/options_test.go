package cmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// good is a configuration that comes to its end.
const good = `
stack = "g:GEN,n:NULL"
[g]
count = 10
`

func TestHelpAndVersion(t *testing.T) {
	for _, arg := range []string{"-h", "--help", "--he", "-dh", "-c/nowhere -h"} {
		r := ulogd(t, strings.Fields(arg)...).exits(0)
		for _, want := range []string{
			"-c, --configfile FILE", "-d, --daemon", "-v, --verbose", "-l, --loglevel LEVEL", "-u, --uid USER",
			"-p, --pidfile FILE", "-i, --info PLUGIN", "-V, --version", "-t, --test", "doctor ", "stats ", "convert ", "Exit codes:",
		} {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("%s: no %q on standard output:\n%s", arg, want, r.stdout)
			}
		}
	}
	for _, arg := range []string{"-V", "--version", "--vers", "version", "-VZ"} {
		if r := ulogd(t, arg).exits(0); !regexp.MustCompile(`^ulogd Version [0-9]+\.[0-9]+\.[0-9]`).MatchString(r.stdout) {
			t.Errorf("%s prints %q", arg, r.stdout)
		}
	}
}

func TestOptionsAreReadAsGetoptDoes(t *testing.T) {
	conf := file(t, "good.toml", good)
	for _, args := range [][]string{
		{"-t", "-c", conf},
		{"-tc", conf},
		{"-tc" + conf},
		{"-tvc" + conf},
		{"--test", "--configfile", conf},
		{"--configfile=" + conf, "--test"},
		{"--conf=" + conf, "--te"},
		{"-t", "-c", "/nowhere", "-c", conf}, // the last one counts
		{"-tl3", "-c", conf},
		{"-t", "--logl=Notice", "-c", conf, "--"},
	} {
		ulogd(t, args...).exits(0).says(conf + ": good, 1 stack")
	}
}

func TestOptionErrors(t *testing.T) {
	for args, want := range map[string]string{
		"-Z":           "unknown option `-Z'",
		"-tZ":          "unknown option `-Z'",
		"--nonsense":   "unknown option `--nonsense'",
		"--ver":        "option `--ver' is ambiguous: it could be --verbose or --version",
		"-c":           "option -c needs an argument",
		"--configfile": "option --configfile needs an argument",
		"--daemon=yes": "option --daemon takes no argument",
		"stat":         "there is no command stat; did you mean stats?",
		"stop":         "there is no command stop; did you mean top?",
		"shutdown": "there is no command shutdown; there are completion, convert, doctor, flows, help, live, page, " +
			"plugins, reload, run, stats, top, version",
		"-- restart":      "there is no command restart;",
		"-t words":        "there is no command words;",
		"help stat":       "there is no command stat; did you mean stats?",
		"-d stats":        "unknown option `-d'; ulogd stats --help lists",
		"stats --depth":   "unknown option `--depth'; ulogd stats --help lists",
		"-l abc":          `"abc" is no level; there are debug (1), info (3), notice (5), error (7), fatal (8)`,
		"-l 9":            `"9" is no level`,
		"-l -1":           `"-1" is no level`,
		"-tl 5x":          `"5x" is no level`,
		"convert":         "usage: ulogd convert FILE",
		"plugins a b":     "usage: ulogd plugins [NAME]",
		"version x":       "usage: ulogd version",
		"-c /nowhere":     "/nowhere: cannot read the configuration: no such file or directory",
		"-t -c /nowhere":  "/nowhere: cannot read the configuration: no such file or directory",
		"doctor x":        "usage: ulogd doctor",
		"-u nobody-known": "unknown user nobody-known",
	} {
		ulogd(t, strings.Fields(args)...).exits(1).says(want)
	}
}

func TestManuals(t *testing.T) {
	list := ulogd(t, "plugins").exits(0).stdout
	for line := range strings.Lines(list) {
		name := strings.Fields(line)[0]
		ulogd(t, "plugins", name).exits(0).says("Name: "+name+"\n", "Kind: ")
	}
	want := ulogd(t, "plugins", "NFCT").exits(0).says(
		"event_mask (0 to 7, default ", "netlink_socket_buffer_maxsize (", "Keys given:", "orig.ip.saddr", "IP addr", "IPFIX: sourceIPv4Address 8, sourceIPv6Address 27").stdout
	for _, arg := range []string{"NFCT", "nfct", "/usr/lib/x86_64-linux-gnu/ulogd/ulogd_inpflow_NFCT.so", "ulogd_inpflow_NFCT.so"} {
		if got := ulogd(t, "-i", arg).exits(0).stdout; got != want {
			t.Errorf("-i %s differs from plugins NFCT:\n%s", arg, got)
		}
	}
	ulogd(t, "-i", "NFCTT").exits(1).says("there is no plugin NFCTT; did you mean NFCT?")
	ulogd(t, "plugins", "something-else").exits(1).says("`ulogd plugins` lists them")
	ulogd(t, "plugins", "ULOG").exits(0).says("Not offered: ", "NFLOG")
	ulogd(t, "--info=PRINTPKT").exits(0).says("Keys needed:", "ip.saddr.str")
}

// Each command says what it takes, by each of the ways to ask, and shows how it is called.
func TestEachCommandHasItsHelp(t *testing.T) {
	list := ulogd(t, "help").exits(0).stdout
	_, list, _ = strings.Cut(list, "Available Commands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	n := 0
	for line := range strings.Lines(list) {
		name := strings.Fields(line)[0]
		n++
		r := ulogd(t, name, "--help").exits(0).says("Usage:\n  ulogd " + name)
		if name != "completion" && name != "version" && !strings.Contains(r.stdout, "Examples:\n  ") {
			t.Errorf("%s --help has no example:\n%s", name, r.stdout)
		}
		for _, args := range [][]string{{"help", name}, {name, "-h"}, {name, "--he", "more", "words"}} {
			if got := ulogd(t, args...).exits(0).stdout; got != r.stdout {
				t.Errorf("%v prints\n%s\n%s --help\n%s", args, got, name, r.stdout)
			}
		}
	}
	if n != 13 {
		t.Errorf("%d commands have a help, want 13:\n%s", n, list)
	}
}

// A word that is no command must not start a daemon, whatever else stands on the line.
func TestAWordThatIsNoCommandStartsNoDaemon(t *testing.T) {
	conf := file(t, "good.toml", good)
	for _, word := range []string{"start", "stop", "reread", "restart", "status", "-", "x", "\x1b[2J"} {
		ulogd(t, "-c", conf, word).exits(1).says("there is no command ")
	}
}

// What the shells ask when TAB is pressed.
func TestCompletion(t *testing.T) {
	config := file(t, "x.conf", "stack=log1:NFLOG,base1:BASE,pcap1:PCAP\nstack=log1:NFLOG,base1:BASE,null:NULL\n")
	for _, c := range []struct {
		args []string // the last is what is typed so far
		want string   // on lines
	}{
		{[]string{"pl"}, "plugins"},
		{[]string{"plugins", "NFL"}, "NFLOG"},
		{[]string{"-i", "NFL"}, "NFLOG"},
		{[]string{"-l", ""}, "debug info notice error fatal"},
		{[]string{"-u", "roo"}, "root"},
		{[]string{"stats", "-c", config, ""}, "log1 base1 pcap1 null"},
		{[]string{"-c", config, "stats", "log1", ""}, "base1 pcap1 null"},
		{[]string{"flows", "port=53", "p"}, "proto="},
		{[]string{"help", "sta"}, "stats"},
		{[]string{"completion", ""}, "bash fish zsh"},
	} {
		r := ulogd(t, append([]string{"__completeNoDesc"}, c.args...)...).exits(0)
		got := strings.Fields(r.stdout)
		if len(got) == 0 || strings.Join(got[:len(got)-1], " ") != c.want {
			t.Errorf("%q completes to %q, want %q", c.args, got, c.want)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script := file(t, "script", ulogd(t, "completion", shell).exits(0).stdout)
		if _, err := exec.LookPath(shell); err != nil {
			continue // the script is made all the same
		}
		finish(t, exec.Command(shell, "-n", script)).exits(0)
	}
}

// In a bash with Debian's bash-completion, as people have it.
func TestCompletionInBash(t *testing.T) {
	const lib = "/usr/share/bash-completion/bash_completion"
	if _, err := os.Stat(lib); err != nil {
		t.Skip(err)
	}
	script := file(t, "script", ulogd(t, "completion", "bash").exits(0).stdout)
	c := exec.Command("bash", "-c", fmt.Sprintf(`. %s; . %s; ulogd() { %s "$@"; }
COMP_WORDS=(ulogd plugins NFA); COMP_CWORD=2; COMP_LINE="ulogd plugins NFA"; COMP_POINT=17; COMP_TYPE=9
__start_ulogd; echo "${COMPREPLY[@]}"`, lib, script, binary))
	if r := finish(t, c).exits(0); strings.TrimSpace(r.stdout) != "NFACCT" {
		t.Errorf("TAB makes %q of NFA\n%s", r.stdout, r.stderr)
	}
}
