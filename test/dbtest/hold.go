// Sessions that are in the way.

package dbtest

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"syscall"
)

// Hold runs statements in a session that stays, with the locks that it has, until release is called.
func (s *Server) Hold(db, text string) (release func()) {
	s.t.Helper()
	words := append(s.kind.client(s, db), s.kind.session...)
	c := exec.Command(words[0], words[1:]...)
	c.Dir, c.SysProcAttr = s.Dir, &syscall.SysProcAttr{Credential: s.user}
	in, err := c.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	io.WriteString(in, text+";\nSELECT 'held';\n")
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "held") {
			return func() {
				in.Close()
				c.Wait()
			}
		}
	}
	s.t.Fatalf("%s: %v", text, c.Wait())
	return nil
}
