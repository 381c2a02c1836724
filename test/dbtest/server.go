// Package dbtest starts database servers of a test's own: PostgreSQL and MariaDB as Debian has them,
// each in a folder that goes with the test, as the unprivileged user of its package, reached through
// a socket in the folder and on a free port of the loopback address.
package dbtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// A Server is a database server. It may be killed and started again.
type Server struct {
	Dir  string // where its data and its socket are
	Port int    // on 127.0.0.1
	Args []string

	t       testing.TB
	kind    kind
	user    *syscall.Credential
	cmd     *exec.Cmd
	ended   chan struct{}
	output  bytes.Buffer
	numbers int
	empty   string
}

// kind is what differs.
type kind struct {
	user   string
	setup  func(s *Server) // makes the data
	server func(s *Server) []string
	client func(s *Server, db string) []string // reads SQL, prints rows: tabs between columns, NULL
	// session is what the client is told besides, so that it answers each statement at once.
	session []string
	alive   string // the statement that a server answers that is ready
	first   string // the database that is there from the start
	reset   string // the statements that empty the database DB
}

// A Shared server is started for the first test of a package that asks for it, and ends with the
// last: Main has to run the tests.
type Shared struct{ server *Server }

// Get returns the server, which start starts: PostgreSQL or MariaDB.
func (h *Shared) Get(t testing.TB, start func(testing.TB, ...string) *Server) *Server {
	t.Helper()
	if h.server == nil {
		h.server = start(held{t})
	}
	h.server.t = t
	return h.server
}

// Main runs a package's tests, for its TestMain, and ends the server.
func (h *Shared) Main(m *testing.M) (code int) {
	code = m.Run()
	if h.server != nil {
		h.server.close()
	}
	return code
}

// held is a test whose end does not end the server.
type held struct{ testing.TB }

func (held) Cleanup(func()) {}

func (s *Server) close() {
	s.Kill()
	os.RemoveAll(s.Dir)
}

// start makes a server and starts it.
func start(t testing.TB, k kind, args ...string) *Server {
	t.Helper()
	nstest.Need(t, "native", "root")
	account, err := user.Lookup(k.user)
	if err != nil {
		need(t, "user "+k.user)
	}
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	dir, err := os.MkdirTemp("", k.user) // t.TempDir's path is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	s := &Server{
		Dir: dir, Port: nstest.FreePort(t), Args: args, t: t, kind: k,
		user: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)},
	}
	t.Cleanup(s.close)
	k.setup(s)
	s.Start()
	return s
}

// run runs a program as the server's user.
func (s *Server) run(stdin string, words ...string) ([]byte, error) {
	c := exec.Command(words[0], words[1:]...)
	c.Dir, c.SysProcAttr = s.Dir, &syscall.SysProcAttr{Credential: s.user}
	c.Stdin = strings.NewReader(stdin)
	out, err := c.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", words[0], err, out)
	}
	return out, err
}

func (s *Server) must(words ...string) {
	s.t.Helper()
	if _, err := s.run("", words...); err != nil {
		s.t.Fatal(err)
	}
}

// Start starts the server, which may have been killed, and waits until it answers.
func (s *Server) Start() {
	s.t.Helper()
	words := append(s.kind.server(s), s.Args...)
	s.output.Reset()
	s.cmd, s.ended = exec.Command(words[0], words[1:]...), make(chan struct{})
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.Dir, &s.output, &s.output
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.user}
	s.cmd.WaitDelay = 5 * time.Second
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func(c *exec.Cmd, ended chan struct{}) {
		c.Wait()
		close(ended)
	}(s.cmd, s.ended)
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		_, err := s.run(s.kind.alive, s.kind.client(s, s.kind.first)...)
		if err == nil {
			return
		}
		select {
		case <-s.ended:
			s.t.Fatalf("the server ended: %v\n%s", s.cmd.ProcessState, s.output.String())
		default:
		}
		if time.Now().After(end) {
			s.t.Fatalf("the server does not answer: %v", err)
		}
	}
}

// Kill kills the server and the processes that it started, with nothing written down.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	pid := s.cmd.Process.Pid
	syscall.Kill(pid, syscall.SIGSTOP) // it starts no more
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, child := range strings.Fields(string(children)) {
		if n, err := strconv.Atoi(child); err == nil {
			syscall.Kill(n, syscall.SIGKILL)
		}
	}
	syscall.Kill(pid, syscall.SIGKILL)
	<-s.ended
	s.cmd = nil
}

// Database makes a database with nothing in it, and returns its name.
func (s *Server) Database() string {
	s.t.Helper()
	s.numbers++
	name := fmt.Sprintf("db%d", s.numbers)
	s.SQL(s.kind.first, "CREATE DATABASE "+name)
	return name
}

// Empty returns the name of a database with nothing in it, for one test after the other: that is
// quicker than a new one for each.
func (s *Server) Empty() string {
	s.t.Helper()
	if s.empty == "" {
		s.empty = s.Database()
	}
	s.SQL(s.empty, strings.ReplaceAll(s.kind.reset, "DB", s.empty))
	return s.empty
}

// SQL has the server's own client run statements, and returns the rows: lines, tabs between
// columns, NULL.
func (s *Server) SQL(db, text string) string {
	s.t.Helper()
	out, err := s.run(text, s.kind.client(s, db)...)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(out)
}

// Load runs the statements of a compressed file of Debian's ulogd2.
func (s *Server) Load(db, file string) {
	s.t.Helper()
	text, err := exec.Command("zcat", filepath.Join("/usr/share/doc/ulogd2", file)).Output()
	if err != nil {
		s.t.Fatal(err)
	}
	s.SQL(db, string(text))
}
