package cmd_test

import (
	"os"
	"strings"
	"testing"
)

// Sizes and durations take units in both grammars, and what is out of range is no other value.
func TestUnitsAndRanges(t *testing.T) {
	for options, want := range map[string]string{
		"netlink_socket_buffer_size=8MiB":     "",
		"netlink_socket_buffer_size=8388608":  "",
		"netlink_socket_buffer_maxsize=64kib": "",
		"netlink_socket_buffer_size=8MB":      `must be a number of octets such as 65536 or 64MiB, is "8MB"`,
		"netlink_socket_buffer_size=-1":       "-1 is out of range",
		"netlink_socket_buffer_size=9999GiB":  "must be between 0 and 1073741823, is 10736344498176",
		"group=65535":                         "",
		"group=99999":                         "must be from 0 to 65535, is 99999",
		"group=-1":                            "must be from 0 to 65535, is -1",
		"numeric_label=256":                   "must be from 0 to 255, is 256",
		"netlink_qtimeout=500ms":              "",
		"netlink_qtimeout=50":                 "",
		"netlink_qtimeout=-1s":                "-1s is out of range",
		"netlink_qtimeout=99999h":             "99999h is out of range",
	} {
		name, value, _ := strings.Cut(options, "=")
		for file1, text := range map[string]string{
			"x.conf": `stack=l:NFLOG,n:NULL
[l]
` + options + "\n",
			"x.toml": `stack = "l:NFLOG,n:NULL"
[l]
` + name + " = \"" + value + "\"\n",
		} {
			if strings.HasSuffix(file1, ".toml") && strings.Trim(value, "0123456789-") == "" {
				text = strings.ReplaceAll(text, `= "`+value+`"`, "= "+value)
			}
			r := ulogd(t, "-t", "-c", file(t, file1, text))
			if want == "" {
				if r.exits(0); strings.Contains(r.stderr, "warning") {
					t.Errorf("%s %s: %s", file1, options, r.stderr)
				}
				continue
			}
			r.exits(1).says("[l] "+name+": ", want)
		}
	}
}

// What is nearly right is told how it is right.
func TestNearNames(t *testing.T) {
	for text, want := range map[string]string{
		"stack=l:NFLOG,n:NULL\nstak=l:NFLOG,n:NULL\n":         "[global] stak: unknown option; did you mean stack?",
		"stack=l:NFLOG,n:NULL\nstacks=l:NFLOG,n:NULL\n":       "[global] stacks: unknown option; did you mean stack?",
		"stack=l:NFLOG,n:NULL\n[l]\nqthreshold=1\n":           "[l] qthreshold: unknown option; did you mean netlink_qthreshold?",
		"stack=l:NFLOG,n:NULL\n[l]\nbuffer_size=1\n":          "[l] buffer_size: unknown option; did you mean netlink_socket_buffer_size?",
		"stack=l:NFLOG,n:NULL\n[l]\ncompat=ulogd2\n":          "[l] compat: NFLOG gives nothing that ulogd2 2.0.8 gets wrong; remove the option",
		"stack=l:NFLOG,n:NULL\n[l\ngroup=1\n":                 "[l]: has no closing bracket; write [l]",
		"stack=c:NFCT,m:DBI\n":                                "stack: DBI: ulogd2's output through libdbi is known, but not offered; put PGSQL, MYSQL or SQLITE3",
		"stack=l:NFLOG,n:NULL\nloglevel=loud\n":               `[global] loglevel: "loud" is no level; there are debug (1)`,
		"stack=l:NFLOG,n:NULL\nshutdown_timeout=ten\n":        "[global] shutdown_timeout: must be a number of seconds",
		"stack=l:NFLOG,n:NULL\n[l]\nnetlink_qtimeout=-20ms\n": "[l] netlink_qtimeout: -20ms is out of range",
	} {
		ulogd(t, "-t", "-c", file(t, "x.conf", text)).says(want)
	}
	ulogd(t, "-t", "-c", file(t, "x.toml", "stacks = [\"l:NFLOG,n:NULL\"]\n")).exits(1).says("stacks: unknown option; did you mean stack?")
}

// As with ulogd2: in a ulogd.conf what cannot be opened is left out, and said, while the rest runs; with nothing left, and
// in TOML, nothing runs. -t opens nothing.
func TestStacksThatCannotBeOpened(t *testing.T) {
	const stacks = "stack=g:GEN,bad:GPRINT\nstack=g:GEN,good:PRINT\nstack=g:GEN,worse:OPRINT\n"
	const sections = `[g]
count=5
[bad]
file=/nowhere/a
[worse]
file=/nowhere/b
`
	r := ulogd(t, "-c", file(t, "x.conf", "loglevel=3\n"+stacks+sections)).exits(0).says(
		"x.conf:2: stack: g:GEN,bad:GPRINT is left out: bad:GPRINT: open /nowhere/a: no such file or directory",
		"x.conf:4: stack: g:GEN,worse:OPRINT is left out: worse:OPRINT: open /nowhere/b: no such file or directory",
		"summary id=g plugin=GEN made=5 out=5 ")
	if strings.Count(r.stdout, "orig.ip.saddr=") != 5 {
		t.Errorf("the stack that is good printed\n%s", r.stdout)
	}
	ulogd(t, "-c", file(t, "x.conf", strings.ReplaceAll(stacks, "good:PRINT", "good:LOGEMU")+sections+"[good]\nfile=/nowhere/c\n")).exits(1)
	ulogd(t, "-c", file(t, "x.conf", "stack=g:GEN,bad:GPRINT\n"+sections)).exits(1).says("<8>", "bad:GPRINT: open /nowhere/a")
	toml := `stack = ["g:GEN,bad:GPRINT", "g:GEN,good:PRINT"]
[g]
count = 5
[bad]
file = "/nowhere/a"
`
	if r := ulogd(t, "-c", file(t, "x.toml", toml)).exits(1); r.stdout != "" {
		t.Errorf("a TOML file that cannot be opened as a whole ran:\n%s", r.stdout)
	}
	if _, err := os.Stat("/nowhere"); err == nil {
		t.Error("/nowhere was made")
	}
}
