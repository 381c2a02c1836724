// Unix sockets that are made again when somebody has removed them, such as who cleans up /run.

package safefile

import (
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// lookEvery is how often a kept socket looks whether clients still find it.
const lookEvery = time.Second

// Kept is a unix socket that lasts as long as it is open: one that is removed is made again. It
// belongs to the user that the process is by then.
type Kept struct {
	name string // for the log
	path string
	perm fs.FileMode
	log  *slog.Logger

	mu     sync.Mutex
	l      *Listener
	closed bool
	lost   string // what was said last
}

// Keep makes a socket as [Take] does. The log is told, by the socket's name, when it was removed and
// is made again, or why it cannot be, each time that changes.
func Keep(name, path string, perm fs.FileMode, log *slog.Logger) (*Kept, error) {
	l, err := Take(path, perm)
	if err != nil {
		return nil, err
	}
	return &Kept{name: name, path: path, perm: perm, log: log, l: l}, nil
}

func (k *Kept) listener() *Listener {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.l
}

// Accept implements net.Listener.
func (k *Kept) Accept() (net.Conn, error) {
	for {
		l := k.listener()
		if err := l.Listener.(*net.UnixListener).SetDeadline(time.Now().Add(lookEvery)); err != nil {
			return nil, err
		}
		conn, err := l.Listener.Accept()
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return conn, err
		}
		if !l.Named() {
			k.again()
		}
	}
}

// again makes the socket anew. The one without a name stays until there is another: who is connected
// is served.
func (k *Kept) again() {
	l, err := Take(k.path, k.perm)
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err != nil:
		if k.lost != err.Error() {
			k.lost = err.Error()
			k.log.Error(k.name+" was removed, and cannot be made again; it is tried each second", "error", err)
		}
	case k.closed:
		l.Close()
	default:
		k.l.Close()
		k.l, k.lost = l, ""
		k.log.Warn(k.name+" had been removed, and is made again", "path", k.path)
	}
}

// Addr implements net.Listener.
func (k *Kept) Addr() net.Addr { return k.listener().Addr() }

// Close ends listening and removes the socket's file.
func (k *Kept) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	return k.l.Close()
}

// Chown gives the socket's file to a user; -1 leaves the user or the group as it is.
func (k *Kept) Chown(uid, gid int) error { return k.listener().Chown(uid, gid) }
