package cmd_test

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"ulogd/engine"
	"ulogd/test/nstest"
)

func TestStats(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "control")
	path := conf(t, "control = \""+socket+"\"")
	p := start(t, "-c", path).up()
	if fi, err := os.Stat(socket); err != nil || fi.Mode().Type() != os.ModeSocket || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want a socket of mode 0600", fi, err)
	}
	table := regexp.MustCompile(`^ *id +plugin +in +made +out +absorbed +filtered +held +dropped +lost\n +g +GEN +0 +\d+ +\d+ +0 +0 +0 +0 +0\n +n +NULL +\d+ `)
	for _, args := range [][]string{{"stats", "-c", path}, {"-c", path, "stats"}, {"stats", "--configfile=" + path}} {
		if r := ulogd(t, args...).exits(0); !table.MatchString(r.stdout) {
			t.Errorf("%v prints\n%s", args, r.stdout)
		}
	}
	var all []engine.Snapshot
	if err := json.Unmarshal([]byte(ulogd(t, "stats", "--json", "-c", path).exits(0).stdout), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[0].ID != "g" || all[0].Plugin != "GEN" || all[0].Kind != "input" || all[1].ID != "n" || all[1].Kind != "output" {
		t.Errorf("as JSON: %+v", all)
	}
	if r := ulogd(t, "stats", "-c", path, "n").exits(0); strings.Contains(r.stdout, "GEN") || !strings.Contains(r.stdout, " n  ") {
		t.Errorf("stats n prints\n%s", r.stdout)
	}
	ulogd(t, "stats", "-c", path, "x").exits(1).says(`ulogd: there is no instance "x"; there are g, n`)
	r := ulogd(t, "flows", "-c", path).exits(1).says("no plugin of this daemon holds flows: FLOW and NFCT do")
	if r.stdout != "" {
		t.Errorf("flows prints %s", r.stdout)
	}
	p.signal(syscall.SIGTERM)
	p.ends(0)
	ulogd(t, "stats", "-c", path).exits(1).says(socket, "is the daemon running")
}

func TestControlSocketOfAnotherDaemon(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "control")
	path := conf(t, "control = \""+socket+"\"")
	start(t, "-c", path).up()
	ulogd(t, "-c", path).exits(1).says("control socket: listen " + socket + ": another program answers on it")
	t.Run("-d", func(t *testing.T) {
		nstest.Need(t, "native")
		ulogd(t, "-d", "-c", conf(t, "logfile = \"/dev/null\"\ncontrol = \""+socket+"\"")).exits(1).says("another program answers on it")
	})
	ulogd(t, "stats", "-c", path).exits(0) // the first one still does
}

func TestStaleControlSocketIsReplaced(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "control")
	path := conf(t, "control = \""+socket+"\"")
	p := start(t, "-c", path).up()
	p.signal(syscall.SIGKILL)
	<-p.done
	if _, err := os.Stat(socket); err != nil {
		t.Fatal("no stale socket to try: ", err)
	}
	start(t, "-c", path).up()
	ulogd(t, "stats", "-c", path).exits(0)
}

// TestRemovedControlSocketIsMadeAgain: who cleans up /run does not take the daemon's ear; nor does
// who puts something else there.
func TestRemovedControlSocketIsMadeAgain(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "control")
	path := conf(t, "control = \""+socket+"\"")
	p := start(t, "-c", path).up()
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	p.logs("the control socket had been removed, and is made again")
	ulogd(t, "stats", "-c", path).exits(0)
	if fi, err := os.Stat(socket); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want mode 0600", fi, err)
	}
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(socket, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.logs("the control socket was removed, and cannot be made again.*address already in use")
	p.signal(syscall.SIGTERM)
	p.ends(0)
	if read(t, socket) != "precious" {
		t.Error("somebody else's file is gone")
	}
}

func TestControlPathThatIsAFile(t *testing.T) {
	precious := file(t, "precious", "data")
	ulogd(t, "-c", conf(t, "control = \""+precious+"\"")).exits(1).says("control socket: ", precious, "address already in use")
	if read(t, precious) != "data" {
		t.Error("the file is gone")
	}
}

func TestStatsWithoutASocket(t *testing.T) {
	path := conf(t, "control = \"\"")
	start(t, "-c", path).up()
	ulogd(t, "stats", "-c", path).exits(1).says(path + " says control = \"\", so its daemon has no control socket")
	ulogd(t, "stats", "-c", "/nowhere.toml").exits(1).says("/nowhere.toml: cannot read the configuration")
	ulogd(t, "stats", "-c", conf(t, "")).exits(1).says("no daemon that runs with /")
	ulogd(t, "stats", "--socket", "/nowhere").exits(1).says("/nowhere: connect: no such file or directory")
}

// Whoever may open the socket may still not harm the daemon.
func TestNonsenseOnTheControlSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "control")
	path := conf(t, "control = \""+socket+"\"")
	start(t, "-c", path).up()
	for question, want := range map[string]string{
		"\n":                          "error a question is a JSON list of words",
		"[]\n":                        "error a question is a JSON list of words",
		"[1]\n":                       "error a question is a JSON list of words",
		"[\"dance\"]\n":               `error there is no question "dance"; there are who`,
		strings.Repeat("x", 1<<17):    "",
		"[\"stats\"]":                 "", // no end of line, then the end
		strings.Repeat("[", 60000):    "",
		"\x00\x01\x02\xff\xfe\n":      "error a question",
		"[\"flows\", \"a\", \"b\"]\n": "error \"a\": write NAME=VALUE",
	} {
		c, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		c.Write([]byte(question)) // the daemon may close early
		c.(*net.UnixConn).CloseWrite()
		var answer strings.Builder
		buf := make([]byte, 4096)
		for {
			n, err := c.Read(buf)
			answer.Write(buf[:n])
			if err != nil {
				break
			}
		}
		c.Close()
		if !strings.HasPrefix(answer.String(), want) || want == "" && answer.String() != "" {
			t.Errorf("%.40q is answered by %q, want %q", question, answer.String(), want)
		}
	}
	ulogd(t, "stats", "-c", path).exits(0)
}
