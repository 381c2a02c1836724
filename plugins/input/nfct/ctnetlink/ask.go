// Asking for parts of the kernel's table.

package ctnetlink

import (
	"encoding/binary"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/plugins/input/netlink/mmsg"
	"ulogd/plugins/input/netlink/nlattr"
)

// PartSize takes the largest part of an answer: the kernel fills up to 32 KiB where the reader has
// room for them.
const PartSize = 32 << 10

// Open opens a socket that a table may be asked for by, in the namespace at the path.
func Open(namespace string) (*mmsg.Socket, error) {
	conn, err := dial(namespace)
	if err != nil {
		return nil, err
	}
	defer conn.Close() // the detached socket stays
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	return mmsg.Detach(raw)
}

// OpenSocket returns a socket whose answers are read a part at a time, as events are.
func OpenSocket(namespace string) (*Socket, error) {
	s, err := Open(namespace)
	if err != nil {
		return nil, err
	}
	return NewSocket(s, 1, PartSize), nil
}

// Request sends a request for the connections of a family, or of all of them (AF_UNSPEC).
func Request(s *mmsg.Socket, typ uint16, family byte) error {
	return s.Send(nlattr.AppendMessage(nil, typ, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, 1, func(b []byte) []byte {
		return append(b, family, unix.NFNETLINK_V0, 0, 0)
	}))
}

// Dump is Request that waits for the whole answer, until the deadline at the most, and calls take with
// each connection in it.
func Dump(s *mmsg.Socket, typ uint16, family byte, deadline time.Time, take func(*nlattr.Message)) error {
	a := NewAnswer(s)
	if err := Request(s, typ, family); err != nil {
		return err
	}
	for {
		if done, err := a.Part(deadline, take); done || err != nil {
			return err
		}
	}
}

// Answer is what comes back by a socket, a part at a time.
type Answer struct {
	conn     *mmsg.Socket
	receiver *mmsg.Receiver
	buf      []byte
}

// NewAnswer makes one of a socket.
func NewAnswer(s *mmsg.Socket) *Answer {
	return &Answer{conn: s, receiver: mmsg.New(s), buf: make([]byte, PartSize)}
}

// Part waits for the next part, until the deadline at the most, calls take with each connection in it
// and reports whether it was the last. After the deadline it reads none, also where one is there: the
// kernel makes them faster than they are read.
func (a *Answer) Part(deadline time.Time, take func(*nlattr.Message)) (done bool, err error) {
	if !time.Now().Before(deadline) {
		return false, os.ErrDeadlineExceeded
	}
	a.conn.SetReadDeadline(deadline)
	n, err := a.receiver.WaitReceive(a.buf, PartSize)
	if err != nil {
		return false, err
	}
	if n == 0 {
		return false, os.ErrDeadlineExceeded
	}
	for rest := a.receiver.Datagram(0); len(rest) > 0; {
		var m nlattr.Message
		m, rest = nlattr.NextMessage(rest)
		switch m.Type {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			return false, Errno(m.Body)
		case nlattr.Malformed:
			return false, errors.New("an answer that is cut off")
		case MsgNew, MsgGetStats:
			take(&m)
		}
	}
	return false, nil
}

// Entries returns how many connections the kernel keeps in the socket's namespace: those in its table,
// and those that have ended and whose ends not all listeners have been told.
func Entries(s *mmsg.Socket, deadline time.Time) (n int, err error) {
	const ctaStatsGlobalEntries = 1 // linux/netfilter/nfnetlink_conntrack.h
	question := nlattr.AppendMessage(nil, MsgGetStats, unix.NLM_F_REQUEST, 1, func(b []byte) []byte {
		return append(b, unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, 0)
	})
	if err := s.Send(question); err != nil {
		return 0, err
	}
	_, err = NewAnswer(s).Part(deadline, func(m *nlattr.Message) {
		for rest := m.Body[min(HeaderLen, len(m.Body)):]; len(rest) > 0; {
			var kind uint16
			var v []byte
			if kind, v, rest = nlattr.Next(rest); kind == ctaStatsGlobalEntries && len(v) == 4 {
				n = int(binary.BigEndian.Uint32(v))
			}
		}
	})
	return n, err
}

// Errno reads struct nlmsgerr, whose number is in the machine's byte order.
func Errno(body []byte) error {
	if len(body) < 4 {
		return errors.New("an answer that is cut off")
	}
	return unix.Errno(-int32(binary.NativeEndian.Uint32(body)))
}
