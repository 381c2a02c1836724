// Asking a running daemon: which one, and what it says.

package cmd

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"ulogd/conf"
)

// answerPatience is how long a daemon may be silent.
const answerPatience = 30 * time.Second

// ask sends a question to a daemon and calls each for every object of the answer; the line is valid until it returns.
// unable are those of its plugins that could not answer.
func ask(socket string, words []string, each func(line []byte) error) (unable []string, err error) {
	return askPatiently(socket, words, answerPatience, each)
}

// askPatiently is ask of a daemon that may be silent for longer.
func askPatiently(socket string, words []string, patience time.Duration,
	each func(line []byte) error,
) (unable []string, err error) {
	conn, err := net.DialTimeout("unix", socket, 5*time.Second)
	if err != nil {
		return nil, fmt.Errorf("%w; is the daemon running, and may you read its socket?", err)
	}
	defer conn.Close()
	question, err := json.Marshal(words)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(append(question, '\n')); err != nil && !errors.Is(err, syscall.EPIPE) {
		return nil, err // of EPIPE the daemon has said the reason
	}
	in := bufio.NewReaderSize(conn, 64<<10)
	status, err := in.ReadSlice('\n')
	if err != nil {
		return nil, fmt.Errorf("the daemon did not answer: %w", err)
	}
	if string(status) != "ok\n" {
		return nil, errors.New(printable(strings.TrimPrefix(strings.TrimSpace(string(status)), "error ")))
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), 16<<20)
	for n := 0; lines.Scan(); n++ {
		if n < 256 || n%256 == 0 {
			conn.SetDeadline(time.Now().Add(patience))
		}
		line := lines.Bytes()
		if ended, unable, err := isEnd(line); ended || err != nil {
			return unable, err
		}
		if err := each(line); err != nil {
			return nil, err
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("the answer breaks off: %w", err)
	}
	return nil, errors.New("the answer breaks off: the daemon has ended, or gave up")
}

// isEnd reports whether a line is the end of an answer.
func isEnd(line []byte) (ended bool, unable []string, err error) {
	if !strings.HasPrefix(string(line), `{"end":true`) {
		return false, nil, nil
	}
	var end struct {
		Unable []string `json:"unable"`
	}
	err = json.Unmarshal(line, &end)
	return true, end.Unable, err
}

// find returns the socket of the daemon that is meant: the one of --socket, of the configuration that -c names, or the
// only one that runs.
func (o *options) find() (socket string, err error) {
	if o.socket != "" {
		return o.socket, nil
	}
	named, set, err := controlOf(o.config)
	switch {
	case err != nil && o.configGiven:
		return "", err
	case set && named == "" && o.configGiven:
		return "", fmt.Errorf("%s says control = \"\", so its daemon has no control socket; remove that and restart the "+
			"daemon", o.config)
	case named != "" && o.configGiven:
		return named, nil
	}
	running, locked := daemons(named)
	if o.configGiven {
		path, _ := filepath.Abs(o.config)
		mine := slices.DeleteFunc(slices.Clone(running), func(d runningDaemon) bool { return d.Config != path })
		if len(mine) == 0 {
			return "", fmt.Errorf("no daemon that runs with %s answers%s%s", o.config, locked.remedy(),
				listed("; there are\n", running))
		}
		running = mine
	}
	switch len(running) {
	case 1:
		return running[0].socket, nil
	case 0:
		return "", fmt.Errorf("no daemon answers: is one running? One whose inputs are all files has no control socket, "+
			"nor has one with control = \"\" in [global]%s", locked.remedy())
	}
	return "", fmt.Errorf("%d daemons run; choose one with -c FILE or --socket PATH%s", len(running),
		listed(":\n", running))
}

// controlOf reads the option control of a configuration.
func controlOf(config string) (path string, set bool, err error) {
	file, problems := conf.Load(config)
	if errs := problems.Errors(); len(errs) > 0 && len(file.Global.Options) == 0 {
		return "", false, errs[0]
	}
	o, set := file.Global.Lookup("control")
	return o.Value.Text, set, nil
}

// runningDaemon is a daemon that answers.
type runningDaemon struct {
	daemonInfo
	socket string
}

// locked are sockets that this user may not open.
type locked []string

func (l locked) remedy() string {
	if len(l) == 0 {
		return ""
	}
	return fmt.Sprintf("; %s may be asked by its owner only: use sudo", strings.Join(l, ", "))
}

// daemons finds the daemons that answer on their default sockets, or on one that a configuration names. All are asked at
// once: who owns the directory may have put sockets there that never answer.
func daemons(named string) (running []runningDaemon, closed locked) {
	paths := socketsIn(runDir, "control")
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		paths = append(paths, socketsIn(dir, "ulogd")...)
	}
	if named != "" {
		paths = append(paths, named)
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	all, errs := make([]runningDaemon, len(paths)), make([]error, len(paths))
	var asked sync.WaitGroup
	for i, path := range paths {
		asked.Go(func() {
			d := &all[i]
			d.socket = path
			take := func(line []byte) error { return json.Unmarshal(line, &d.daemonInfo) }
			_, errs[i] = ask(path, []string{"who"}, take)
		})
	}
	asked.Wait()
	for i, err := range errs {
		switch {
		case err == nil:
			running = append(running, all[i])
		case errors.Is(err, fs.ErrPermission):
			closed = append(closed, paths[i])
		}
	}
	return running, closed
}

func listed(head string, all []runningDaemon) string {
	if len(all) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(head)
	for i, d := range all {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "  %s  pid %d, configuration %s, since %s", printable(d.socket), d.PID, printable(d.Config),
			d.Since.Local().Format(time.DateTime))
	}
	return b.String()
}
