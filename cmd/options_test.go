package cmd_test

import (
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
		for _, want := range []string{"Parameters:", "-c --configfile FILE", "-d --daemon", "-v --verbose", "-l --loglevel", "-u --uid", "-p --pidfile", "-i --info", "-V --version", "-t --test", "doctor", "stats", "convert FILE", "Exit codes:"} {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("%s: no %q on standard output:\n%s", arg, want, r.stdout)
			}
		}
	}
	for _, arg := range []string{"-V", "--version", "--vers"} {
		if r := ulogd(t, arg).exits(0); !strings.HasPrefix(r.stdout, "ulogd Version ") {
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
		{"ignored", "-t", "words", "-c", conf},
		{"-t", "-c", "/nowhere", "-c", conf}, // the last one counts
		{"-t", "-l", "x", "-c", conf},
	} {
		ulogd(t, args...).exits(0).says(conf + ": good, 1 stack")
	}
}

func TestOptionErrors(t *testing.T) {
	for args, want := range map[string]string{
		"-Z":              "unknown option `-Z'",
		"-tZ":             "unknown option `-Z'",
		"--nonsense":      "unknown option `--nonsense'",
		"--ver":           "option `--ver' is ambiguous: it could be --version or --verbose",
		"-c":              "option -c needs an argument",
		"--configfile":    "option --configfile needs an argument",
		"--daemon=yes":    "option --daemon takes no argument",
		"stat":            "there is no command stat; did you mean stats?",
		"convert":         "usage: ulogd convert FILE",
		"plugins a b":     "usage: ulogd plugins [NAME]",
		"stats x":         "usage: ulogd stats",
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
		"event_mask (integer, default ", "netlink_socket_buffer_maxsize (", "Keys given:", "orig.ip.saddr", "IP addr", "IPFIX 8").stdout
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
