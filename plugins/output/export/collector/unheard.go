// Streams that nobody hears any more: a firewall on the way has forgotten the connection, and drops its packets without
// a word. The kernel sends again for a quarter of an hour before it gives up; a new connection works at once.

package collector

import (
	"time"

	"golang.org/x/sys/unix"
)

// A stream tells how often in a row the kernel has sent again what nobody acknowledges, and can be ended without that.
type stream interface {
	Unheard() int
	Abort()
}

const (
	// mostUnheard is after how many times another connection is tried: since each waits twice as long as the one
	// before, after 13 s at the least.
	mostUnheard = 6
	// listenEvery is how often the kernel is asked.
	listenEvery = time.Second
)

// Unheard implements stream. A peer whose window is closed answers, and is heard.
func (t *TCP) Unheard() (times int) {
	_ = t.raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			times = int(info.Retransmits)
		}
	})
	return times
}

// Abort implements stream.
func (t *TCP) Abort() { _ = t.conn.SetLinger(0) }

// unheard reports whether a session should be made beside the present one, which goes on until that is there.
func (l *Connector) unheard(now time.Time) bool {
	s, ok := l.session.(stream)
	if !ok || now.Sub(l.listened) < listenEvery {
		return false
	}
	l.listened = now
	if s.Unheard() < mostUnheard || now.Sub(l.tried) < l.interval {
		return false
	}
	l.env.Limited().Warn("collector " + l.names[l.active] + " acknowledges nothing; another session is tried")
	return true
}

// leave ends a session that another one has replaced. What it had sent, and was not heard, goes by the other one: it
// must not arrive twice.
func leave(s Session) {
	if old, ok := s.(stream); ok && old.Unheard() >= mostUnheard {
		old.Abort()
	}
	s.Shutdown()
	s.Close()
}
