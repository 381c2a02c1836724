package safefile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The user of -u, who owns the directory, and somebody else.
const (
	heirID  = 54321
	ownerID = 54322
	otherID = 54323
)

// rootsOwn returns a directory that nobody but root can write, on the way from / too, and the
// user's to come.
func rootsOwn(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("ULOGD_KERNEL_TESTS") == "require" {
			t.Fatal("needs root")
		}
		t.Skip("needs root: for others nothing is special")
	}
	dir, err := os.MkdirTemp("/run", "safefile-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		os.RemoveAll(dir)
		heir.Store(0)
		group.Store(0)
	})
	must(t, os.Chmod(dir, 0o755))
	GiveTo(heirID, heirID)
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string, uid int) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o644))
	must(t, os.Chown(path, uid, uid))
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text)
}

func owner(t *testing.T, path string) (uid, gid uint32) {
	t.Helper()
	fi, err := os.Lstat(path)
	must(t, err)
	st := fi.Sys().(*syscall.Stat_t)
	return st.Uid, st.Gid
}

const appending, emptying = os.O_WRONLY | os.O_CREATE | os.O_APPEND, os.O_WRONLY | os.O_CREATE | os.O_TRUNC

// put opens a file and writes a line.
func put(path string, flags int) error {
	f, err := Open(path, flags, 0o640, User)
	if err != nil {
		return err
	}
	_, err = f.WriteString("line\n")
	return errors.Join(err, f.Close())
}

func TestOpenInDirectoriesOfOthers(t *testing.T) {
	dir := rootsOwn(t)
	for name, c := range map[string]struct {
		owner int // of the directory
		mode  os.FileMode
		make  func(path, victim string) error
		flags int
		want  string // of the error; "" where it is opened
	}{
		"a new file":                      {ownerID, 0o755, nil, appending, ""},
		"a file of root":                  {ownerID, 0o755, file(0), emptying, ""},
		"a file of the user":              {ownerID, 0o755, file(heirID), emptying, ""},
		"a file of the directory's owner": {ownerID, 0o755, file(ownerID), emptying, ""},
		"a file of somebody else":         {ownerID, 0o755, file(otherID), emptying, "it belongs to user 54323, and "},
		"a link":                          {ownerID, 0o755, symlink, emptying, "is a symbolic link, and "},
		"a link that leads nowhere":       {ownerID, 0o755, func(path, victim string) error { return os.Symlink(victim+".new", path) }, appending, "is a symbolic link, and "},
		"a link of the user's":            {heirID, 0o755, symlink, emptying, "is a symbolic link, and "},
		"a hard link":                     {ownerID, 0o755, hardlink, emptying, "it has 2 names, and "},
		"a hard link of the user's":       {heirID, 0o755, hardlink, appending, "it has 2 names, and "},
		"a link where everybody writes":   {0, 0o1777, symlink, appending, "everybody may write "},
		"a link where a group writes":     {0, 0o775, symlink, appending, "group 77 may write "},
		"a FIFO of somebody else":         {ownerID, 0o755, fifo(otherID), appending, "it belongs to user 54323, and "},
		"a link of root's":                {0, 0o755, symlink, appending, ""},
		"a hard link of root's":           {0, 0o755, hardlink, appending, ""},
		"somebody's file at root's":       {0, 0o755, file(otherID), appending, ""},
	} {
		t.Run(name, func(t *testing.T) {
			base := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			must(t, os.Mkdir(base, 0o755))
			victim, theirs := filepath.Join(base, "victim"), filepath.Join(base, "dir")
			write(t, victim, "precious\n", 0)
			must(t, os.Mkdir(theirs, 0o755))
			path := filepath.Join(theirs, "file")
			if c.make != nil {
				must(t, c.make(path, victim))
			}
			must(t, os.Chown(theirs, c.owner, 77))
			must(t, unix.Chmod(theirs, uint32(c.mode)))
			err := put(path, c.flags)
			switch {
			case c.want == "" && err != nil:
				t.Fatal(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path)):
				t.Errorf("the error is %v, want %q", err, c.want)
			case c.want != "":
				if got := read(t, victim); got != "precious\n" {
					t.Errorf("root's file became %q", got)
				}
				if _, err := os.Stat(victim + ".new"); err == nil {
					t.Error("a file was made where the link leads")
				}
			case !strings.HasSuffix(read(t, path), "line\n"):
				t.Errorf("the file holds %q", read(t, path))
			}
		})
	}
}

func symlink(path, victim string) error  { return os.Symlink(victim, path) }
func hardlink(path, victim string) error { return os.Link(victim, path) }

func file(uid int) func(path, _ string) error {
	return func(path, _ string) error {
		return errors.Join(os.WriteFile(path, []byte("old\n"), 0o644), os.Chown(path, uid, uid))
	}
}

func fifo(uid int) func(path, _ string) error {
	return func(path, _ string) error { return errors.Join(unix.Mkfifo(path, 0o644), os.Chown(path, uid, uid)) }
}

// Links on the way count as the last one does.
func TestLinksOnTheWay(t *testing.T) {
	dir := rootsOwn(t)
	must(t, os.MkdirAll(dir+"/real/sub", 0o755))
	must(t, os.MkdirAll(dir+"/theirs/sub", 0o755))
	must(t, os.Chown(dir+"/theirs", ownerID, ownerID))
	must(t, os.Symlink("real", dir+"/link"))              // of root, relative
	must(t, os.Symlink(dir+"/theirs", dir+"/intotheirs")) // of root, leads to others
	must(t, os.Symlink(dir+"/real", dir+"/theirs/out"))   // theirs
	must(t, os.Symlink("../link/./sub", dir+"/real/twice"))
	must(t, os.Symlink("loop", dir+"/loop"))
	for _, good := range []string{"/link/a", "/link/sub/../b", "/intotheirs/c", "/real/twice/d", "//real/./e"} {
		if err := put(dir+good, appending); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		"/theirs/out/x":        "is a symbolic link, and ",
		"/intotheirs/out/x":    "is a symbolic link, and ",
		"/theirs/sub/../../x":  "write the path without it",
		"/loop/x":              "too many levels of symbolic links",
		"/missing/x":           "no such file or directory",
		"/real/a/x":            "not a directory",
		"/theirs":              "is a directory",
		"/proc/self/root/x":    "no such file or directory",
		"/theirs/out/sub/../x": "is a symbolic link, and ",
	} {
		if err := put(dir+bad, appending); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", bad, err, want)
		}
	}
	// Relative paths are the working directory's.
	t.Chdir(dir + "/theirs")
	if err := put("out/x", appending); err == nil {
		t.Error("a link was followed from the working directory")
	}
	must(t, put("sub/x", appending))
}

// What people write into without a thought.
func TestDevicesAndPipes(t *testing.T) {
	dir := rootsOwn(t)
	must(t, put("/dev/null", emptying))
	path := dir + "/fifo"
	must(t, unix.Mkfifo(path, 0o600))
	r, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer r.Close()
	must(t, put(path, appending))
	// As /dev/stdout: a link of the kernel's to whatever is open there, also where its path belongs
	// to others.
	must(t, os.Mkdir(dir+"/theirs", 0o755))
	write(t, dir+"/theirs/out", "", otherID)
	must(t, os.Chown(dir+"/theirs", ownerID, ownerID))
	f, err := os.OpenFile(dir+"/theirs/out", os.O_WRONLY, 0)
	must(t, err)
	defer f.Close()
	saved, err := unix.Dup(1)
	must(t, err)
	must(t, unix.Dup3(int(f.Fd()), 1, 0))
	err = errors.Join(put("/dev/stdout", appending), put("/dev/fd/1", appending))
	must(t, unix.Dup3(saved, 1, 0))
	must(t, unix.Close(saved))
	must(t, err)
	if got := read(t, dir+"/theirs/out"); got != "line\nline\n" {
		t.Errorf("/dev/stdout took %q", got)
	}
	pr, pw, err := os.Pipe()
	must(t, err)
	defer pr.Close()
	must(t, put(fmt.Sprint("/proc/self/fd/", pw.Fd()), appending))
	pw.Close()
	if got, _ := io.ReadAll(pr); string(got) != "line\n" {
		t.Errorf("the pipe took %q", got)
	}
}

// What root makes for the user is the user's; the rest stays root's.
func TestWhoseNewFilesAre(t *testing.T) {
	dir := rootsOwn(t)
	must(t, put(dir+"/output", appending))
	f, err := Open(dir+"/pid", os.O_RDWR|os.O_CREATE, 0o644, Daemon)
	must(t, err)
	must(t, f.Close())
	must(t, MkdirAll(dir+"/a/b/spool", 0o700, User))
	must(t, MkdirAll(dir+"/a/b/spool", 0o700, User)) // again
	must(t, os.Mkdir(dir+"/setgid", 0o755))
	must(t, os.Chown(dir+"/setgid", 0, 77))
	must(t, os.Chmod(dir+"/setgid", 0o755|os.ModeSetgid))
	must(t, put(dir+"/setgid/output", appending))
	for path, want := range map[string][2]uint32{
		"/output": {heirID, heirID}, "/pid": {0, 0}, "/a": {0, 0}, "/a/b": {0, 0}, "/a/b/spool": {heirID, heirID},
		"/setgid/output": {heirID, 77},
	} {
		if uid, gid := owner(t, dir+path); uid != want[0] || gid != want[1] {
			t.Errorf("%s belongs to %d:%d, want %v", path, uid, gid, want)
		}
	}
	if fi, err := os.Stat(dir + "/a/b/spool"); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", fi, err)
	}
	// What was there before keeps its owner.
	write(t, dir+"/old", "", otherID)
	must(t, put(dir+"/old", emptying))
	if uid, _ := owner(t, dir+"/old"); uid != otherID {
		t.Errorf("an old file was given to %d", uid)
	}
}

func TestMkdirRenameRemove(t *testing.T) {
	dir := rootsOwn(t)
	must(t, os.Mkdir(dir+"/theirs", 0o755))
	must(t, os.Mkdir(dir+"/victim", 0o755))
	write(t, dir+"/victim/file", "precious\n", 0)
	must(t, os.Symlink(dir+"/victim", dir+"/theirs/link"))
	must(t, os.Symlink(dir+"/victim/file", dir+"/theirs/name"))
	write(t, dir+"/theirs/mine", "mine\n", 0)
	must(t, os.Chown(dir+"/theirs", ownerID, ownerID))
	for what, err := range map[string]error{
		"remove":   Remove(dir + "/theirs/link/file"),
		"rename":   Rename(dir+"/theirs/link/file", dir+"/theirs/got"),
		"renameto": Rename(dir+"/theirs/mine", dir+"/theirs/link/file"),
		"mkdir":    MkdirAll(dir+"/theirs/link/sub", 0o700, User),
		"mkdir of": MkdirAll(dir+"/theirs/link", 0o700, User),
	} {
		if err == nil || !strings.Contains(err.Error(), "is a symbolic link") {
			t.Errorf("%s: %v", what, err)
		}
	}
	must(t, Rename(dir+"/theirs/mine", dir+"/theirs/moved"))
	must(t, Remove(dir+"/theirs/name")) // the link itself
	must(t, MkdirAll(dir+"/theirs/new", 0o700, User))
	must(t, Remove(dir+"/theirs/new"))
	if read(t, dir+"/victim/file") != "precious\n" || read(t, dir+"/theirs/moved") != "mine\n" {
		t.Error("a file was changed")
	}
	if left, _ := os.ReadDir(dir + "/theirs"); len(left) != 2 {
		t.Errorf("left: %v", left)
	}
}

// Somebody exchanges the file for a link all the time. Whoever wins, root's file stays as it is.
func TestRace(t *testing.T) {
	dir := rootsOwn(t)
	victim, theirs := dir+"/victim", dir+"/theirs"
	write(t, victim, "precious\n", 0)
	must(t, os.Chmod(victim, 0o600))
	must(t, os.Mkdir(theirs, 0o755))
	must(t, os.Mkdir(theirs+"/sub", 0o755))
	must(t, os.Symlink(dir, theirs+"/sub2"))
	must(t, os.Symlink(victim, theirs+"/trap"))
	must(t, os.Chown(theirs, heirID, heirID))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			unix.Renameat2(unix.AT_FDCWD, theirs+"/file", unix.AT_FDCWD, theirs+"/trap", unix.RENAME_EXCHANGE)
			unix.Renameat2(unix.AT_FDCWD, theirs+"/sub", unix.AT_FDCWD, theirs+"/sub2", unix.RENAME_EXCHANGE)
			os.Remove(theirs + "/file")
		}
	})
	opened := 0
	for range 1500 {
		if put(theirs+"/file", emptying) == nil {
			opened++
		}
		if put(theirs+"/sub/victim", emptying) == nil {
			opened++
		}
		MkdirAll(theirs+"/sub/made", 0o700, User)
		Remove(theirs + "/sub/victim")
	}
	close(stop)
	wg.Wait()
	if got := read(t, victim); got != "precious\n" {
		t.Errorf("root's file became %q", got)
	}
	if uid, _ := owner(t, victim); uid != 0 {
		t.Errorf("root's file was given to %d", uid)
	}
	if _, err := os.Stat(dir + "/made"); err == nil {
		t.Error("a directory was made in root's")
	}
	if opened == 0 {
		t.Error("nothing was ever opened: the race was not run")
	}
}

// Nothing stays open, whatever happens.
func TestNoDescriptorIsLeft(t *testing.T) {
	dir := rootsOwn(t)
	must(t, os.Mkdir(dir+"/theirs", 0o755))
	must(t, os.Symlink("x", dir+"/theirs/link"))
	must(t, os.Chown(dir+"/theirs", ownerID, ownerID))
	count := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		return len(list)
	}
	before := count()
	for range 20 {
		put(dir+"/theirs/file", appending)
		put(dir+"/theirs/link", appending)
		put(dir+"/theirs/link/x", appending)
		put(dir+"/none/x", appending)
		put(dir+"/theirs/../..", appending)
		MkdirAll(dir+"/theirs/new/er", 0o700, User)
		MkdirAll(dir+"/theirs/link/er", 0o700, User)
		Rename(dir+"/theirs/file", dir+"/none/x")
		Rename(dir+"/none/x", dir+"/theirs/file")
		Remove(dir + "/theirs/file")
		Remove(dir + "/theirs/none/file")
	}
	if after := count(); after > before+2 {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// A socket is made with its mode, in the directory that was looked at, given to the user, and
// removed at the end; whoever exchanges it gets nothing given away.
func TestListen(t *testing.T) {
	dir := rootsOwn(t)
	must(t, os.Mkdir(dir+"/theirs", 0o755))
	must(t, os.Chown(dir+"/theirs", heirID, heirID))
	must(t, os.Symlink(dir, dir+"/theirs/link"))
	write(t, dir+"/victim", "precious\n", 0)
	for _, path := range []string{dir + "/socket", dir + "/theirs/socket"} {
		l, err := Listen(path, 0o600)
		must(t, err)
		if fi, err := os.Lstat(path); err != nil || fi.Mode() != os.ModeSocket|0o600 {
			t.Errorf("%v, %v", fi, err)
		}
		must(t, l.Chown(heirID, heirID))
		if uid, _ := owner(t, path); uid != heirID {
			t.Errorf("%s belongs to %d", path, uid)
		}
		c, err := net.Dial("unix", path)
		must(t, err)
		c.Close()
		must(t, l.Close())
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is left", path)
		}
	}
	if _, err := Listen(dir+"/theirs/link/socket", 0o600); err == nil || !strings.Contains(err.Error(), "is a symbolic link") {
		t.Errorf("through a link: %v", err)
	}
	l, err := Listen(dir+"/theirs/socket", 0o600)
	must(t, err)
	must(t, os.Rename(dir+"/theirs/socket", dir+"/theirs/away"))
	must(t, os.Symlink(dir+"/victim", dir+"/theirs/socket"))
	must(t, l.Chmod(0o666)) // the socket, wherever it is
	if fi, err := os.Lstat(dir + "/theirs/away"); err != nil || fi.Mode() != os.ModeSocket|0o666 {
		t.Errorf("%v, %v", fi, err)
	}
	must(t, l.Chown(heirID, heirID))
	must(t, l.Close())
	if fi, err := os.Stat(dir + "/victim"); err != nil || fi.Mode() != 0o644 {
		t.Errorf("root's file has the mode %v, %v", fi.Mode(), err)
	}
	if uid, _ := owner(t, dir+"/victim"); uid != 0 || read(t, dir+"/victim") != "precious\n" {
		t.Error("root's file was given away")
	}
	if _, err := os.Lstat(dir + "/theirs/socket"); err != nil {
		t.Error("what somebody else put there was removed")
	}
}

// An access control list lets somebody write where owner, group and mode name root alone.
func TestAccessControlList(t *testing.T) {
	dir := rootsOwn(t)
	write(t, dir+"/victim", "precious\n", 0)
	must(t, os.Mkdir(dir+"/listed", 0o755))
	must(t, os.Symlink(dir+"/victim", dir+"/listed/link"))
	if err := put(dir+"/listed/link", appending); err != nil {
		t.Fatal(err)
	}
	const owner, one, group, mask, others, undefined = 0x01, 0x02, 0x04, 0x10, 0x20, 0xffffffff // linux/posix_acl.h
	list := binary.LittleEndian.AppendUint32(nil, 2)                                            // the version (linux/posix_acl_xattr.h)
	for _, e := range [][3]uint32{{owner, 7, undefined}, {one, 7, heirID}, {group, 5, undefined}, {mask, 7, undefined}, {others, 5, undefined}} {
		list = binary.LittleEndian.AppendUint16(list, uint16(e[0]))
		list = binary.LittleEndian.AppendUint16(list, uint16(e[1]))
		list = binary.LittleEndian.AppendUint32(list, e[2])
	}
	must(t, unix.Setxattr(dir+"/listed", "system.posix_acl_access", list, 0))
	if err := put(dir+"/listed/link", emptying); err == nil || !strings.Contains(err.Error(), "an access control list by which others may write it") {
		t.Errorf("the error is %v", err)
	}
	if got := read(t, dir+"/victim"); got != "precious\nline\n" {
		t.Errorf("root's file became %q", got)
	}
}

// Somebody exchanges the directory that is made for one of root's that lies beside it: that one is not handed over.
func TestDirectoryThatIsExchanged(t *testing.T) {
	dir := rootsOwn(t)
	theirs := dir + "/theirs"
	must(t, os.Mkdir(theirs, 0o755))
	must(t, os.Mkdir(theirs+"/roots", 0o700))
	write(t, theirs+"/roots/key", "precious\n", 0)
	must(t, os.Chown(theirs, heirID, heirID))
	f, err := os.Open(theirs + "/roots") // as if it had been exchanged between the making and the opening
	must(t, err)
	defer f.Close()
	if err := handOver(f, User); err == nil || !strings.Contains(err.Error(), "put another directory there") {
		t.Errorf("the error is %v", err)
	}
	if uid, _ := owner(t, theirs+"/roots"); uid != 0 {
		t.Errorf("root's directory was given to %d", uid)
	}
	must(t, MkdirAll(theirs+"/new", 0o700, User))
	if uid, _ := owner(t, theirs+"/new"); uid != heirID {
		t.Errorf("the new one belongs to %d", uid)
	}
}

// A library may have files where nobody but root can put a link in the place of one, now or later.
func TestLibrary(t *testing.T) {
	dir := rootsOwn(t)
	GiveTo(0, 0) // root stays root
	for path, mode := range map[string]uint32{
		"roots": 0o755, "tmp": 0o1777, "tmp/roots": 0o755, "tmp/theirs": 0o755, "open": 0o777, "open/roots": 0o755,
		"group": 0o775, "theirs": 0o755, "theirs/roots": 0o1777, "theirs/roots/sub": 0o755,
	} {
		must(t, os.MkdirAll(dir+"/"+path, 0o755))
		must(t, unix.Chmod(dir+"/"+path, mode))
	}
	must(t, os.Chown(dir+"/group", 0, 77))
	must(t, os.Chown(dir+"/tmp/theirs", ownerID, ownerID))
	must(t, os.Symlink("../theirs/x", dir+"/roots/link"))
	must(t, os.Symlink("../roots/x", dir+"/tmp/link"))
	must(t, os.Chown(dir+"/theirs", ownerID, ownerID))
	for path, want := range map[string]string{
		"roots/x":            "",
		"tmp/roots/x":        "",
		"tmp/x":              "everybody may write " + dir + "/tmp and could",
		"tmp/theirs/x":       "everybody may write " + dir + "/tmp and could",
		"tmp/link":           "write the path without it",
		"open/x":             "everybody may write " + dir + "/open and could",
		"open/roots/x":       "everybody may write " + dir + "/open and could",
		"group/x":            "group 77 may write " + dir + "/group and could",
		"theirs/x":           "start ulogd with -u USER, or name a file in a directory that root alone can write",
		"theirs/roots/sub/x": dir + "/theirs belongs to user 54322 and could",
		"roots/link":         dir + "/roots/../theirs belongs to user 54322 and could",
		"missing/x":          "no such file or directory",
	} {
		err := Library(dir + "/" + path)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	GiveTo(heirID, heirID)
	must(t, Library(dir+"/theirs/x")) // it will be opened as the user
}
