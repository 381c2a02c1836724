// The control socket, from both ends.

package cmd

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"ulogd/conf"
	"ulogd/engine"
	"ulogd/engine/safefile"
	"ulogd/stacks"
)

// control answers questions about the running daemon on a unix socket. A question is one line, a JSON list of words; the
// answer is the line "ok" and text up to the end, or a line that begins with "error ".
type control struct {
	l       *safefile.Listener
	log     *slog.Logger
	machine *engine.Machine
	clients chan struct{} // a place for each that is answered
}

// maxClients is how many are answered at the same time; others wait.
const maxClients = 16

// listen opens the socket with mode 0600. One that a crash left behind is replaced; one that answers belongs to another
// daemon.
func listen(path string, log *slog.Logger) (*control, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("control socket %s: another daemon answers on it; give this one a path of its own", path)
	} else if fi, statErr := os.Lstat(path); errors.Is(err, syscall.ECONNREFUSED) && statErr == nil && fi.Mode().Type() == os.ModeSocket {
		if err := safefile.Remove(path); err != nil {
			return nil, fmt.Errorf("control socket: %w", err)
		}
	}
	l, err := safefile.Listen(path, 0o600)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return &control{l: l, log: log, clients: make(chan struct{}, maxClients)}, nil
}

func (c *control) close() { c.l.Close() }

// give makes the socket a user's.
func (c *control) give(uid, gid int) error { return c.l.Chown(uid, gid) }

// serve takes clients until the socket is closed. That no file descriptor is left is no reason to end: it passes.
func (c *control) serve(m *engine.Machine) {
	c.machine = m
	var said time.Time
	for {
		conn, err := c.l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			if time.Since(said) > time.Minute {
				said = time.Now()
				c.log.Error("the control socket takes no client; it is tried again", "error", err)
			}
			time.Sleep(acceptPause)
			continue
		}
		c.clients <- struct{}{}
		go func() {
			defer func() { <-c.clients }()
			c.answer(conn)
		}()
	}
}

// acceptPause is the time between two attempts to take a client when none can be taken.
const acceptPause = 500 * time.Millisecond

// questionTimeout bounds how long a client may take to ask or to read a chunk of its answer.
const questionTimeout = 10 * time.Second

func (c *control) answer(conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(questionTimeout))
	line, err := bufio.NewReader(io.LimitReader(conn, 1<<16)).ReadBytes('\n')
	if err != nil {
		return
	}
	var words []string
	if err := json.Unmarshal(line, &words); err != nil || len(words) == 0 {
		fmt.Fprintln(conn, `error a question is a JSON list of words, such as ["stats"]`)
		return
	}
	switch words[0] {
	case "stats":
		c.stats(conn, words[1:])
	default:
		c.query(conn, words)
	}
}

// stats answers with the counters of all instances, or of those whose ids are asked for.
func (c *control) stats(conn net.Conn, words []string) {
	asJSON := len(words) > 0 && words[0] == "--json"
	if asJSON {
		words = words[1:]
	}
	all := c.machine.Snapshot()
	some := all
	if len(words) > 0 {
		some = slices.DeleteFunc(slices.Clone(all), func(s engine.Snapshot) bool { return !slices.Contains(words, s.ID) })
		for _, w := range words {
			if !slices.ContainsFunc(some, func(s engine.Snapshot) bool { return s.ID == w }) {
				fmt.Fprintf(conn, "error there is no instance %q; there are %s\n", w, ids(all))
				return
			}
		}
	}
	fmt.Fprintln(conn, "ok")
	writeStats(conn, some, asJSON)
}

func ids(all []engine.Snapshot) string {
	var names []string
	for _, s := range all {
		names = append(names, s.ID)
	}
	return strings.Join(names, ", ")
}

// query passes a question to the plugins. What they say is gathered first, so that a slow client does not hold up the records.
func (c *control) query(conn net.Conn, words []string) {
	var answer []byte
	err := c.machine.Query("", words[0], words[1:], func(line []byte) {
		answer = append(append(answer, line...), '\n')
	})
	if err != nil {
		fmt.Fprintln(conn, "error", err)
		return
	}
	conn.SetDeadline(time.Now().Add(questionTimeout))
	fmt.Fprintln(conn, "ok")
	conn.Write(answer)
}

// ask sends a question to the daemon that the configuration describes and copies its answer to w.
func ask(config string, words []string, w io.Writer) error {
	file, problems := conf.Load(config)
	if errs := problems.Errors(); len(errs) > 0 && len(file.Global.Options) == 0 {
		return errs[0]
	}
	var g stacks.Global
	var opts engine.Options
	g.Options(&opts)
	if o, ok := file.Global.Lookup("control"); ok {
		g.Control = o.Value.Text
	}
	if g.Control == "" {
		return fmt.Errorf("%s has no control socket; set control = \"/run/ulogd.sock\" in [global] and restart the daemon", config)
	}
	conn, err := net.Dial("unix", g.Control)
	if err != nil {
		return fmt.Errorf("%w; is the daemon running, and may you read its socket?", err)
	}
	defer conn.Close()
	question, err := json.Marshal(words)
	if err != nil {
		return err
	}
	if _, err := conn.Write(append(question, '\n')); err != nil {
		return err
	}
	r := bufio.NewReader(conn)
	status, err := r.ReadString('\n')
	if err != nil {
		return fmt.Errorf("the daemon did not answer: %w", err)
	}
	if status != "ok\n" {
		return errors.New(status[:len(status)-1])
	}
	_, err = io.Copy(w, r)
	return err
}
