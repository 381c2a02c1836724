package cmd_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ulogd/test/nstest"
)

// users is a directory that belongs to nobody, the user of -u, below one of root's that others can only read. Beside it
// is a file of root's.
func users(t *testing.T) (dir, victim string, nobody *user.User) {
	t.Helper()
	needRoot(t)
	nobody = userNobody(t)
	base, err := os.MkdirTemp("/run", "ulogd-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	dir, victim = filepath.Join(base, "users"), filepath.Join(base, "victim")
	os.Chmod(base, 0o755)
	os.Mkdir(dir, 0o755)
	write(t, victim, "root:precious\n")
	uid, _ := strconv.Atoi(nobody.Uid)
	gid, _ := strconv.Atoi(nobody.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return dir, victim, nobody
}

// untouched checks that root's file is as it was.
func untouched(t *testing.T, victim string) {
	t.Helper()
	fi, err := os.Stat(victim)
	if err != nil || read(t, victim) != "root:precious\n" || fi.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("root's file: %v, %v, %q", fi, err, read(t, victim))
	}
}

// A user who may become root by a link: the pid file, the log file and the control socket do not follow it.
func TestLinksOfTheUser(t *testing.T) {
	for _, what := range []string{"pid", "log", "control"} {
		for _, link := range []func(old, new string) error{os.Symlink, os.Link} {
			dir, victim, _ := users(t)
			path := filepath.Join(dir, "trap")
			if err := link(victim, path); err != nil {
				t.Fatal(err)
			}
			args := []string{"-u", "nobody", "-c", conf(t, map[string]string{
				"log": "logfile = \"" + path + "\"", "control": "control = \"" + path + "\"",
			}[what])}
			code := 1
			switch what {
			case "pid":
				args = append(args, "-p", path)
			case "log":
				code = 2
			}
			r := ulogd(t, args...).exits(code).says(path)
			if what != "control" { // a socket is not made where something is, link or not
				r.says(dir + " belongs to nobody")
			}
			if strings.Contains(r.stderr, "precious") {
				t.Errorf("%s: the file's content is in the log:\n%s", what, r.stderr)
			}
			untouched(t, victim)
		}
	}
}

// Root reads nothing for the user either: no line of a file that a link leads to is in the log, and a directory that is
// followed gives no capture but those that are in it.
func TestLinksOfTheUserAreNotRead(t *testing.T) {
	dir, victim, nobody := users(t)
	nstest.Need(t, "nf_conntrack")
	labels := filepath.Join(dir, "labels")
	if err := os.Symlink(victim, labels); err != nil {
		t.Fatal(err)
	}
	if r := ulogd(t, "run", "NFCT connlabel_conf="+labels+" | NULL").exits(1).says(dir + " belongs to nobody"); strings.Contains(r.stderr, "precious") {
		t.Errorf("the file's content is in the log:\n%s", r.stderr)
	}
	write(t, victim, "") // not a secret any more, and no capture
	os.Remove(labels)

	secret, theirs := filepath.Join(filepath.Dir(dir), "secret.pcap"), filepath.Join(dir, "b.pcap")
	for _, path := range []string{secret, theirs} {
		text := read(t, example)
		if path == theirs {
			text = text[:len(text)/2] // so that the two differ
		}
		write(t, path, text)
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	os.Chown(theirs, uid, -1)
	os.Chmod(secret, 0o600)
	if err := os.Symlink(secret, filepath.Join(dir, "a.pcap")); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(t.TempDir(), "state")
	p := start(t, "-c", file(t, "x.toml", fmt.Sprintf(`
stack = "in:PCAP,n:NULL"
control = ""
[in]
file = %q
follow = true
follow_state = %q
`, dir, state)))
	eventually(t, func() error {
		if text := read(t, p.stderr); !strings.Contains(text, "a.pcap is a symbolic link, and "+dir+" belongs to nobody") ||
			!strings.Contains(read(t, state), "b.pcap") {
			return fmt.Errorf("%s", text)
		}
		return nil
	})
	p.signal(syscall.SIGTERM)
	<-p.done
	if text := read(t, p.stderr); !regexp.MustCompile(`id=in plugin=PCAP made=3\d `).MatchString(text) {
		t.Errorf("another file than the user's is read, of 72 packets:\n%s", text)
	}

	ulogd(t, "run", "PCAP file="+filepath.Join(dir, "*.pcap")+" | NULL").
		says("a.pcap is a symbolic link, and "+dir+" belongs to nobody", "33 records read")
	ulogd(t, "run", "PCAP file="+filepath.Join(dir, "a.pcap")+" | NULL").says("72 records read") // by its very name
}

// A store is met by the user of -u, not by root: the database's file is his, and a link to a file of root's gives him
// nothing.
func TestStoreIsTheUsers(t *testing.T) {
	dir, victim, nobody := users(t)
	db, trap := filepath.Join(dir, "flows.db"), filepath.Join(dir, "trap.db")
	if err := os.Symlink(victim, trap); err != nil {
		t.Fatal(err)
	}
	path := file(t, "stores.toml", fmt.Sprintf(`
stack = ["g:GEN,a:SQLITE3", "g:GEN,b:SQLITE3"]

[global]
control = ""

[g]
count = 0
rate = 10

[a]
db = %q
table = "flows"

[b]
db = %q
table = "flows"
`, db, trap))
	openForAll(t, filepath.Dir(path))
	p := start(t, "-u", "nobody", "-c", path)
	uid, _ := strconv.Atoi(nobody.Uid)
	eventually(t, func() error {
		fi, err := os.Stat(db)
		if err == nil && int(fi.Sys().(*syscall.Stat_t).Uid) != uid {
			t.Fatalf("%s belongs to %d", db, fi.Sys().(*syscall.Stat_t).Uid)
		}
		return err
	})
	eventually(t, func() error {
		if text := read(t, p.stderr); !strings.Contains(text, trap) {
			return fmt.Errorf("nothing is said of %s: %s", trap, text)
		}
		return nil
	})
	p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.done
	untouched(t, victim)
}

// A database that stays root's is not opened where somebody else could put a link in the place of its file, or of one
// that SQLite makes beside it: not one that is there, nor one that may come.
func TestDatabaseOfRootAmongFilesOfOthers(t *testing.T) {
	dir, victim, _ := users(t)
	write(t, victim, "") // SQLite makes a database of an empty file
	db, trap := filepath.Join(dir, "flows.db"), filepath.Join(dir, "trap.db")
	if err := os.Symlink(victim, trap); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{db, trap} {
		config := file(t, "x.toml", fmt.Sprintf(`
stack = "g:GEN,db:SQLITE3"
control = ""
[g]
count = 1
[db]
db = %q
layout = "native"
`, path))
		ulogd(t, "-c", config).exits(1).says("db:SQLITE3: open "+path+": ", dir+" belongs to nobody")
		ulogd(t, "doctor", "-c", config).exits(1).
			says("open "+path+": ", dir+" belongs to nobody", "mend it: start ulogd with -u")
		if r := ulogd(t, "doctor", "-c", config, "-u", "nobody"); strings.Contains(r.stdout, "belongs to nobody") {
			t.Errorf("what will be opened as nobody is looked at as root's:\n%s", r.stdout)
		}
	}
	if text := read(t, victim); text != "" {
		t.Errorf("root's file holds %d octets", len(text))
	}
	if left, _ := filepath.Glob(dir + "/*"); len(left) != 1 {
		t.Errorf("there are files: %v", left)
	}
}

// The control socket is exchanged for a link to root's file as soon as it appears, again and again.
func TestControlSocketThatIsExchanged(t *testing.T) {
	dir, victim, _ := users(t)
	socket := filepath.Join(dir, "control")
	trap := filepath.Join(dir, "trap")
	path := conf(t, "control = \""+socket+"\"")
	openForAll(t, filepath.Dir(path))
	races := 0
	for range 5 {
		os.Remove(socket)
		os.Remove(trap)
		if err := os.Symlink(victim, trap); err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		exchanged := make(chan bool)
		go func() {
			for {
				select {
				case <-stop:
					exchanged <- false
					return
				default:
				}
				if unix.Renameat2(unix.AT_FDCWD, socket, unix.AT_FDCWD, trap, unix.RENAME_EXCHANGE) == nil {
					exchanged <- true
					return
				}
			}
		}()
		p := start(t, "-u", "nobody", "-c", path)
		eventually(t, func() error {
			if text := read(t, p.stderr); !strings.Contains(text, "entering main loop") && !strings.Contains(text, "<8>") {
				return fmt.Errorf("neither up nor ended: %s", text)
			}
			return nil
		})
		close(stop)
		if <-exchanged {
			races++
		}
		untouched(t, victim)
		p.cmd.Process.Kill() // it may have ended, because it saw the exchange
		<-p.done
	}
	if races == 0 {
		t.Error("the socket was never exchanged: the race was not run")
	}
}

// A file that is no pid file is not taken for one, not emptied, and its content is nobody's business.
func TestPidFileThatIsSomethingElse(t *testing.T) {
	path := file(t, "shadow", "secret:x:y\n")
	r := ulogd(t, "-p", path, "-c", conf(t, "")).exits(1).says("pid file: " + path + " holds something else than a pid")
	if read(t, path) != "secret:x:y\n" || strings.Contains(r.stderr, "secret") {
		t.Errorf("the file holds %q; the log:\n%s", read(t, path), r.stderr)
	}
	ulogd(t, "-p", "/dev/null", "-c", conf(t, "")).exits(1).says("/dev/null is no regular file")
}

// As Debian's unit and its logrotate have it: pid file and log in directories of the user.
func TestDebiansUnitWithLogrotate(t *testing.T) {
	dir, _, nobody := users(t)
	log, pidfile := filepath.Join(dir, "ulogd.log"), filepath.Join(dir, "ulogd.pid")
	path := conf(t, "logfile = \""+log+"\"")
	openForAll(t, filepath.Dir(path))
	pid := background(t, pidfile, "--uid", "nobody", "-c", path)
	uid, _ := strconv.Atoi(nobody.Uid)
	for name, want := range map[string]int{log: uid, pidfile: 0} {
		if fi, err := os.Stat(name); err != nil || int(fi.Sys().(*syscall.Stat_t).Uid) != want {
			t.Errorf("%s: %v, %v; want user %d", name, fi, err, want)
		}
	}
	for i := range 3 {
		os.Rename(log, fmt.Sprint(log, ".", i))
		f, err := os.OpenFile(log, os.O_CREATE|os.O_EXCL, 0o640) // create 640 ulog adm
		if err != nil {
			t.Fatal(err)
		}
		f.Chown(uid, -1)
		f.Close()
		syscall.Kill(pid, syscall.SIGHUP)
		eventually(t, func() error {
			if n, err := os.Readlink(fdOf(pid, log)); err != nil {
				return fmt.Errorf("the daemon has not opened its new log (%s, %v)", n, err)
			}
			return nil
		})
	}
	syscall.Kill(pid, syscall.SIGTERM)
	gone(t, pid)
	if text := read(t, log); !strings.Contains(text, "summary id=g") {
		t.Errorf("the last log: %s", text)
	}
	if _, err := os.Stat(pidfile); err == nil {
		t.Error("the pid file is left behind")
	}
}

// fdOf returns the descriptor of a process that has a file open, as a path in /proc.
func fdOf(pid int, path string) string {
	fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, fd := range fds {
		if to, _ := os.Readlink(fd); to == path {
			return fd
		}
	}
	return "none"
}

// The log file in a directory of root's is made for the user, so that logrotate's plain `create` makes one that it can open.
func TestLogFileBelongsToTheUser(t *testing.T) {
	dir, _, nobody := users(t)
	log := filepath.Join(filepath.Dir(dir), "ulogd.log")
	path := conf(t, "logfile = \""+log+"\"")
	openForAll(t, filepath.Dir(path))
	p := start(t, "-u", "nobody", "-c", path)
	eventually(t, func() error {
		if !strings.Contains(read(t, log), "entering main loop") {
			return fmt.Errorf("the log: %s", read(t, log))
		}
		return nil
	})
	if fi, err := os.Stat(log); err != nil || fmt.Sprint(fi.Sys().(*syscall.Stat_t).Uid) != nobody.Uid {
		t.Errorf("%v, %v", fi, err)
	}
	p.signal(syscall.SIGTERM)
	p.ends(0)
}

// More clients than there are file descriptors, which do nothing: the daemon says so, goes on, and answers when they have
// gone.
func TestControlSocketWithoutDescriptors(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "control")
	out := filepath.Join(t.TempDir(), "out")
	path := file(t, "x.toml", "control = \""+socket+"\""+printing(out))
	c := exec.Command("sh", "-c", "ulimit -n 20; exec \"$@\"", "sh", binary, "-c", path)
	stderr := filepath.Join(t.TempDir(), "stderr")
	f, err := os.Create(stderr)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c.Stderr = f
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		c.Process.Signal(syscall.SIGTERM)
		if err := c.Wait(); err != nil {
			t.Errorf("it ended with %v:\n%s", err, read(t, stderr))
		}
	}()
	grows(t, out)
	var clients []net.Conn
	for range 40 {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, conn)
	}
	eventually(t, func() error {
		if text := read(t, stderr); !strings.Contains(text, "the control socket takes no client; it is tried again") || !strings.Contains(text, "too many open files") {
			return fmt.Errorf("the log does not say it: %s", text)
		}
		return nil
	})
	grows(t, out)
	for _, conn := range clients {
		conn.Close()
	}
	ulogd(t, "stats", "-c", path).exits(0).says("PRINT")
	if n := strings.Count(read(t, stderr), "takes no client"); n > 3 {
		t.Errorf("it is said %d times", n)
	}
}

// What root may write and the user may not is found where the user is named; and so is where root will make a file for
// her that she could not make again after logrotate.
func TestDoctorLooksAsTheUser(t *testing.T) {
	dir, _, _ := users(t)
	base := filepath.Dir(dir)
	roots, hers := filepath.Join(base, "roots.log"), filepath.Join(dir, "hers.log")
	write(t, roots, "")
	path := file(t, "x.toml", fmt.Sprintf("stack = [\"g:GEN,a:GPRINT\", \"g:GEN,b:OPRINT\", "+
		`"g:GEN,c:PRINT"]
[a]
file = %q
[b]
file = %q
[c]
file = %q
`,
		roots, hers, filepath.Join(base, "new.log")))
	openForAll(t, filepath.Dir(path))
	ulogd(t, "doctor", "-c", path).exits(0).says("nothing found")
	ulogd(t, "doctor", "-u", "nobody", "-c",
		path).exits(1).says("a:GPRINT: "+roots+" is not writable for nobody: permission denied", "chown nobody "+roots,
		"c:PRINT: the directory "+base+" is not writable for nobody", "create 640 nobody")
	if err := os.Chmod(roots, 0o666); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(base, "new.log"), "")
	if err := os.Chmod(filepath.Join(base, "new.log"), 0o666); err != nil {
		t.Fatal(err)
	}
	ulogd(t, "doctor", "-u", "nobody", "-c", path).exits(0).says("nothing found")
	ulogd(t, "doctor", "-u", "no-such-user", "-c", path).exits(1).says("unknown user no-such-user")
}
