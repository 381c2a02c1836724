// The control socket: what the daemon answers.

package cmd

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"ulogd/engine"
	"ulogd/engine/question"
	"ulogd/engine/safefile"
)

// control answers questions about the running daemon on a unix socket. A question is one line, a JSON list of words. The
// answer is the line "ok", JSON objects, each on a line, and at the end an object with the member "end"; or a line that
// begins with "error ".
//
// Clients are bounded in number, in the length of their question and in the time that they may take, so that nothing that
// somebody does to the socket costs the records anything.
type control struct {
	l       *safefile.Kept
	path    string
	log     *slog.Logger
	machine *engine.Machine
	meter   *question.Meter
	about   daemonInfo
	again   func(dry bool) reloaded // reads the configuration again
	ctx     context.Context         // ends when the socket is closed
	stop    context.CancelFunc
	spare   *os.File      // a file descriptor for the time when there is none left
	places  chan struct{} // a place for each client that is answered

	mu    sync.Mutex
	conns map[net.Conn]bool
	idle  []idleClient // those that have not asked yet, the oldest first
}

// idleClient is one that has not asked yet.
type idleClient struct {
	net.Conn
	since time.Time
}

const (
	// maxClients is how many are answered at the same time; others wait.
	maxClients = 16
	// maxIdle is how many may be connected without a question: the oldest has to go, once it has had idleTime to ask.
	maxIdle  = 64
	idleTime = time.Second
	// maxConns is how many may be connected at all.
	maxConns = 192
	// maxQuestion is how long a question may be.
	maxQuestion = 1 << 16
	// questionTimeout bounds how long a client may take to ask, to get a place, and to read a piece of its answer.
	questionTimeout = 10 * time.Second
	// answerTimeout bounds an answer as a whole.
	answerTimeout = 10 * time.Minute
	// topShare is the part of a processor that looks of top take: one in so many.
	topShare = 10
	// acceptPause is the time between two attempts to take a client when none can be taken.
	acceptPause = 500 * time.Millisecond
)

// daemonInfo is what a daemon says of itself.
type daemonInfo struct {
	PID     int       `json:"pid"`
	Config  string    `json:"config"`
	Since   time.Time `json:"since"`
	Version string    `json:"version"`
}

func newControl(l *safefile.Kept, path string, log *slog.Logger) *control {
	c := &control{l: l, path: path, log: log, places: make(chan struct{}, maxClients), conns: map[net.Conn]bool{}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.save()
	return c
}

// save opens the spare file descriptor.
func (c *control) save() { c.spare, _ = os.Open(os.DevNull) }

// close ends listening and all answers.
func (c *control) close() {
	c.stop()
	c.l.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		conn.Close()
	}
}

// give makes the socket a user's.
func (c *control) give(uid, gid int) error { return c.l.Chown(uid, gid) }

// serve takes clients until the socket is closed. That no file descriptor is left is no reason to end: it passes.
func (c *control) serve(m *engine.Machine) {
	c.machine, c.meter = m, question.NewMeter(m, topShare)
	var said time.Time
	for {
		conn, err := c.l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err == nil:
			if c.enter(conn) {
				go c.client(conn)
			}
			continue
		}
		if time.Since(said) > time.Minute {
			said = time.Now()
			c.log.Error("the control socket takes no client; it is tried again", "error", err,
				"remedy", "raise the limit of open files (ulimit -n, LimitNOFILE=)")
		}
		if !errors.Is(err, syscall.EMFILE) || !c.takeWithSpare() {
			time.Sleep(acceptPause)
		}
	}
}

// takeWithSpare answers one client with the descriptor that was kept for it.
func (c *control) takeWithSpare() bool {
	if c.spare == nil {
		c.save()
		return false
	}
	c.spare.Close()
	c.spare = nil
	defer c.save()
	conn, err := c.l.Accept()
	if err == nil && c.enter(conn) {
		c.client(conn)
	}
	return err == nil
}

// enter makes room for a client, or turns it away.
func (c *control) enter(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle) >= maxIdle && time.Since(c.idle[0].since) > idleTime {
		c.idle[0].Close()
		delete(c.conns, c.idle[0].Conn)
		c.idle = slices.Delete(c.idle, 0, 1)
	}
	if len(c.conns) >= maxConns || c.ctx.Err() != nil {
		conn.SetDeadline(time.Now().Add(time.Second))
		fmt.Fprintln(conn, "error the daemon has too many clients on its control socket; try again")
		conn.Close()
		return false
	}
	c.conns[conn] = true
	c.idle = append(c.idle, idleClient{conn, time.Now()})
	return true
}

// asked notes that a client is idle no longer.
func (c *control) asked(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.IndexFunc(c.idle, func(i idleClient) bool { return i.Conn == conn }); i >= 0 {
		c.idle = slices.Delete(c.idle, i, i+1)
	}
}

// client has one client's question and answers it.
func (c *control) client(conn net.Conn) {
	defer func() {
		conn.Close()
		c.asked(conn)
		c.mu.Lock()
		delete(c.conns, conn)
		c.mu.Unlock()
	}()
	conn.SetDeadline(time.Now().Add(questionTimeout))
	line, err := bufio.NewReader(io.LimitReader(conn, maxQuestion)).ReadBytes('\n')
	c.asked(conn)
	if err != nil {
		return
	}
	var words []string
	if err := json.Unmarshal(line, &words); err != nil || len(words) == 0 {
		fmt.Fprintln(conn, `error a question is a JSON list of words, such as ["stats"]`)
		return
	}
	select {
	case c.places <- struct{}{}:
		defer func() { <-c.places }()
	case <-time.After(questionTimeout):
		conn.SetDeadline(time.Now().Add(time.Second))
		fmt.Fprintln(conn, "error the daemon answers as many others as it may; try again")
		return
	case <-c.ctx.Done():
		return
	}
	c.answer(conn, words)
}

// answer answers a question.
func (c *control) answer(conn net.Conn, words []string) {
	ctx, cancel := context.WithTimeout(c.ctx, answerTimeout)
	defer cancel()
	a := &answer{conn: conn, w: bufio.NewWriterSize(nil, 32<<10)}
	a.w.Reset(a)
	end := map[string]any{"end": true}
	var err error
	switch words[0] {
	case "who":
		err = a.give(c.about)
	case "stats":
		err = c.stats(a, words[1:])
	case "flows":
		err = c.flows(ctx, a, words[1:], end)
	case "top":
		err = c.top(ctx, a, words[1:])
	case "reload":
		err = c.reload(a, words[1:])
	default:
		err = fmt.Errorf("there is no question %q; there are who, stats, flows, top and reload", words[0])
	}
	if err == nil {
		err = a.give(end)
	}
	if err != nil && !a.begun {
		fmt.Fprintln(a.w, "error", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	a.w.Flush()
}

// An answer is written piece by piece; the client has its time for each.
type answer struct {
	conn  net.Conn
	w     *bufio.Writer
	begun bool
	line  []byte
}

// Write implements io.Writer for the buffer.
func (a *answer) Write(p []byte) (int, error) {
	a.conn.SetDeadline(time.Now().Add(questionTimeout))
	return a.conn.Write(p)
}

// begin says that there is no error. From then on there is none that can be told: the end is missing then.
func (a *answer) begin() {
	if !a.begun {
		a.begun = true
		a.w.WriteString("ok\n")
	}
}

// give writes an object.
func (a *answer) give(v any) error {
	a.begin()
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	a.w.Write(line)
	return a.w.WriteByte('\n')
}

// stats answers with the counters of all instances, or of those whose ids are asked for.
func (c *control) stats(a *answer, words []string) error {
	all := c.machine.Snapshot()
	for _, w := range words {
		if !slices.ContainsFunc(all, func(s engine.Snapshot) bool { return s.ID == w }) {
			return fmt.Errorf("there is no instance %q; there are %s", w, ids(all))
		}
	}
	a.begin()
	for _, s := range all {
		if len(words) == 0 || slices.Contains(words, s.ID) {
			if err := a.give(s); err != nil {
				return err
			}
		}
	}
	return nil
}

func ids(all []engine.Snapshot) string {
	var names []string
	for _, s := range all {
		names = append(names, s.ID)
	}
	return strings.Join(names, ", ")
}

// flows answers with live flows.
func (c *control) flows(ctx context.Context, a *answer, words []string, end map[string]any) error {
	q, err := question.ParseFlows(words)
	if err != nil {
		return err
	}
	sum, err := q.Ask(ctx, c.machine, func(f *question.Flow) error {
		a.begin()
		a.line = append(f.AppendJSON(a.line[:0]), '\n')
		_, err := a.w.Write(a.line)
		return err
	})
	if len(sum.Unable) > 0 {
		end["unable"] = sum.Unable
	}
	return err
}

// top answers who sends most: at once without a window, else once for each window as long as the client listens.
func (c *control) top(ctx context.Context, a *answer, words []string) error {
	q, err := question.ParseTop(words)
	if err != nil {
		return err
	}
	if q.Window == 0 {
		res, err := q.Ask(ctx, c.machine)
		if err != nil {
			return err
		}
		return a.give(res)
	}
	return c.meter.Watch(c.ctx, q, func(res question.Result) error {
		if err := a.give(res); err != nil {
			return err
		}
		return a.w.Flush()
	})
}
