// The kernel's list of connections that have ended and whose ends it has not been able to send.

package nfct

import (
	"time"

	"golang.org/x/sys/unix"

	"ulogd/plugins/input/netlink/mmsg"
	"ulogd/plugins/input/netlink/nlattr"
	"ulogd/plugins/input/nfct/ctnetlink"
)

// dying reads the list, the newest end first, a part at a time: for each the kernel goes through it
// from its beginning to the part's place, and nobody else gets at it meanwhile. So it is a matter of
// milliseconds for some thousand ends and of minutes for a million, in which the kernel would send
// nothing.
type dying struct {
	socket  *mmsg.Socket
	answer  *ctnetlink.Answer
	reading bool
	flow    ctnetlink.Flow
}

// part reads the next part, waiting for it until the time by at the most, calls see with each
// connection in it and reports whether it was the last.
func (l *dying) part(by time.Time, see func(*ctnetlink.Flow)) (done bool, err error) {
	if !l.reading {
		if err := ctnetlink.Request(l.socket, ctnetlink.MsgGetDying, unix.AF_UNSPEC); err != nil {
			return false, err
		}
		l.answer, l.reading = ctnetlink.NewAnswer(l.socket), true
	}
	done, err = l.answer.Part(by, func(m *nlattr.Message) {
		if l.flow.Decode(m) {
			see(&l.flow)
		}
	})
	l.reading = l.reading && !done
	return done, err
}
