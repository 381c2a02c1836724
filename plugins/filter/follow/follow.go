// Package follow keeps filters current with what the kernel tells of a network namespace
// (rtnetlink): its interfaces, its routes. The namespace is that of the stack's input; when it is
// deleted and made again, the filter moves when the input does.
package follow

import (
	"errors"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/mmsg"
	"ulogd/plugins/input/netlink/netns"
	"ulogd/plugins/input/netlink/nlattr"
)

// Subject is what is followed.
type Subject interface {
	// Groups are the multicast groups that tell of it.
	Groups() []uint32
	// Requests ask for all of it.
	Requests() []netlink.Message
	// Begin is called before what Requests ask for is taken up by Change.
	Begin()
	// Change takes up a message. It returns false where more has changed than that says, and all
	// has to be read again; as it has when a message is malformed or was lost.
	Change(m nlattr.Message) (enough bool)
}

// A Follower tells a Subject of changes. All of it runs on the stack's goroutine: what the kernel
// has told is taken up before each batch, so that records made after a change show it.
type Follower struct {
	what    string // in messages: "interfaces"
	subject Subject
	place   netns.Companion
	env     *engine.Env
	reloads *engine.Counter

	asker    *netlink.Conn // asks for all, also when the daemon may enter no namespace any more
	monitor  *netlink.Conn // nil while there is no namespace
	receiver *mmsg.Receiver
	buf      []byte
	stale    bool // there were changes that nothing was told of
	loaded   time.Time
}

const (
	slotSize = 32 << 10 // octets for one message; links with many virtual functions have the largest
	slots    = 16

	receiveBuffer = 4 << 20 // a routing daemon changes many at once

	// Settle is the least time between two readings of all.
	Settle = time.Second
)

// New returns what follows a subject in the namespace of a stack's input.
func New(what string, subject Subject, stack engine.StackInfo) *Follower {
	f := &Follower{what: what, subject: subject}
	f.place.Enter, f.place.Leave = f.enter, f.Close
	f.place.Behind(stack)
	return f
}

// Open begins to follow, and reads what there is.
func (f *Follower) Open(env *engine.Env) error {
	f.env, f.buf = env, make([]byte, slots*slotSize)
	f.reloads = env.Stats.Counter("reloads", "times that all "+f.what+" were read again")
	return f.place.Open()
}

// enter begins to follow in the namespace that the path stands for now.
func (f *Follower) enter(path string) (id uint64, err error) {
	err = netns.Do(path, func() error {
		id = netns.Here()
		return f.listen()
	})
	if err == nil {
		err = f.load()
	}
	if err != nil {
		return 0, fmt.Errorf("follow %s: %w", f.what, err)
	}
	return id, nil
}

// listen opens the sockets in the namespace that it is called in.
func (f *Follower) listen() (err error) {
	if f.asker, err = netlink.Dial(unix.NETLINK_ROUTE, nil); err != nil {
		return err
	}
	if f.monitor, err = netlink.Dial(unix.NETLINK_ROUTE, nil); err != nil {
		return err
	}
	for _, g := range f.subject.Groups() {
		if err := f.monitor.JoinGroup(g); err != nil {
			return fmt.Errorf("join group %d: %w", g, err)
		}
	}
	if err := f.monitor.SetReadBuffer(receiveBuffer); err != nil {
		return err
	}
	raw, err := f.monitor.SyscallConn()
	f.receiver = mmsg.New(raw)
	return err
}

// Close stops following.
func (f *Follower) Close() error {
	var errs []error
	for _, c := range []*netlink.Conn{f.asker, f.monitor} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	f.asker, f.monitor, f.receiver = nil, nil, nil
	return errors.Join(errs...)
}

// load reads all. Changes that happen meanwhile wait in the monitor; one that is taken up twice
// does no harm.
func (f *Follower) load() error {
	f.stale, f.loaded = false, time.Now()
	f.subject.Begin()
	for _, request := range f.subject.Requests() {
		request.Header.Flags = netlink.Request | netlink.Dump
		answer, err := f.asker.Execute(request)
		if err != nil {
			return fmt.Errorf("read all: %w", err)
		}
		for _, m := range answer {
			f.change(nlattr.Message{Type: uint16(m.Header.Type), Body: m.Data})
			// What changed while the kernel told it may be missing.
			f.stale = f.stale || m.Header.Flags&netlink.DumpInterrupted != 0
		}
	}
	return nil
}

// Update takes up the changes since the last time.
func (f *Follower) Update() {
	failure := f.place.Follow()
	if f.monitor == nil {
		f.complain(failure)
		return
	}
	if failure == nil {
		failure = f.receive()
	}
	if f.stale && time.Since(f.loaded) >= Settle {
		f.reloads.Add(1)
		if failure = f.load(); failure != nil {
			f.stale = true
		}
	}
	f.complain(failure)
}

// receive takes up what the monitor has.
func (f *Follower) receive() error {
	for {
		n, err := f.receiver.TryReceive(f.buf, slotSize)
		for i := range n {
			f.stale = f.stale || f.receiver.Truncated(i)
			for rest := f.receiver.Datagram(i); len(rest) > 0; {
				var m nlattr.Message
				m, rest = nlattr.NextMessage(rest)
				f.change(m)
			}
		}
		switch {
		case errors.Is(err, mmsg.ErrOverrun):
			f.stale = true
		case n == 0 || err != nil:
			return err
		}
	}
}

func (f *Follower) change(m nlattr.Message) {
	if m.Type == nlattr.Malformed || !f.subject.Change(m) {
		f.stale = true
	}
}

func (f *Follower) complain(err error) {
	if err != nil {
		f.env.Limited().Error("cannot follow "+f.what+"; what is told of them may be out of date", "error", err)
	}
}
