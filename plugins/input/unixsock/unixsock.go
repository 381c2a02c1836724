// Package unixsock is the UNIXSOCK input: packets that a local program hands over, with what it
// knows of them.
package unixsock

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os/user"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/safefile"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "UNIXSOCK",
		Doc: `Takes packets from a local program over a unix stream socket, one client at a time.

Each message is a marker, lengths, an IP packet and options such as a prefix, names of interfaces and a user's name. A second client is turned away
while one is connected. Lengths that contradict each other, and a wrong marker, end the client's connection and nothing else.`,
		Example: `stack = "sock1:UNIXSOCK,base1:BASE,ip2str1:IP2STR,print1:PRINTPKT,emu1:LOGEMU"

[sock1]
socket_path = "/run/ulogd/packets.sock"
perms = 0o660
group = "adm"
`,
		Input: func() engine.Input { return &unixsock{} },
	})
}

type unixsock struct {
	path         string
	bufsize      int
	perms        uint32
	owner, group string

	columns
	env       *engine.Env
	socket    *safefile.Listener
	listener  *net.UnixListener // the socket's, for its deadlines
	client    *net.UnixConn
	stream    stream
	blocks    *engine.Blocks
	stopping  bool
	malformed *engine.Drop
	unknown   *engine.Counter
	clients   *engine.Counter
	refused   *engine.Counter
	failed    *engine.Counter
}

// The optional parts of the contract that it implements (engine/plugin.go).
var (
	_ engine.Validator = (*unixsock)(nil)
	_ engine.Opener    = (*unixsock)(nil)
	_ engine.Ticker    = (*unixsock)(nil)
	_ engine.Closer    = (*unixsock)(nil)
	_ engine.Stopper   = (*unixsock)(nil)
	_ engine.Live      = (*unixsock)(nil)
	_ engine.Doctored  = (*unixsock)(nil)
)

func (u *unixsock) Options(o *engine.Options) {
	o.String(&u.path, "socket_path", "/var/run/ulogd/ulogd2.sock", "the socket, made at start and removed at the end")
	o.Writes("socket_path")
	engine.Octets(o, &u.bufsize, "bufsize", 0, "octets of receive buffer; 0: the system's default")
	engine.Int(o, &u.perms, "perms", 0o600, "mode of the socket; in octal with a leading 0")
	o.String(&u.owner, "owner", "", "user that owns the socket, by name or number; unset: the one that runs the daemon")
	o.String(&u.group, "group", "", "group of the socket, by name or number")
}

func (u *unixsock) Validate() error {
	switch {
	case u.path == "":
		return fmt.Errorf("socket_path: must be set")
	case u.perms > 0o777:
		return fmt.Errorf("perms: must be a file mode such as 0600, is %#o; write it with a leading 0", u.perms)
	case u.bufsize < 0:
		return fmt.Errorf("bufsize: must not be negative, is %d", u.bufsize)
	}
	return nil
}

func (u *unixsock) Bind(p *engine.Binder) {
	u.columns.bind(p)
	st := p.Stats()
	u.malformed = st.Drop("malformed", "messages whose marker or lengths are wrong; each ended its client's connection")
	u.unknown = st.Counter("unknown_options", "options of messages that have no known number, and were skipped")
	u.clients = st.Counter("clients", "clients that connected")
	u.failed = st.Counter("accepts_failed", "times that a client could not be accepted for want of file descriptors or memory, and was tried again")
	u.refused = st.Counter("clients_refused", "clients that came while another was connected")
}

// Open makes the socket. One that is left over from a daemon that was killed is replaced.
func (u *unixsock) Open(env *engine.Env) error {
	u.env = env
	u.blocks = engine.NewBlocks(blockSize)
	u.stream.block = u.blocks.Get()
	l, err := safefile.Take(u.path, fs.FileMode(u.perms))
	if err != nil {
		return fmt.Errorf("socket_path: %w", err)
	}
	u.socket, u.listener = l, l.Listener.(*net.UnixListener)
	return u.own()
}

// own gives the socket its mode and its owners.
func (u *unixsock) own() error {
	uid, gid := -1, -1
	if u.owner != "" {
		id := u.owner
		if found, err := user.Lookup(u.owner); err == nil {
			id = found.Uid
		}
		var err error
		if uid, err = strconv.Atoi(id); err != nil {
			return fmt.Errorf("owner: there is no user %q", u.owner)
		}
	}
	if u.group != "" {
		id := u.group
		if found, err := user.LookupGroup(u.group); err == nil {
			id = found.Gid
		}
		var err error
		if gid, err = strconv.Atoi(id); err != nil {
			return fmt.Errorf("group: there is no group %q", u.group)
		}
	}
	if err := u.socket.Chown(uid, gid); err != nil {
		return fmt.Errorf("give the socket its owner: %w", err)
	}
	if err := u.socket.Chmod(fs.FileMode(u.perms)); err != nil {
		return fmt.Errorf("give the socket its mode: %w", err)
	}
	return nil
}

// Stop lets Read take what the client has sent, and no more.
func (u *unixsock) Stop() { u.stopping = true }

// Live implements engine.Live: what it reads has no end of its own.
func (u *unixsock) Live() bool { return true }

// Close removes the socket.
func (u *unixsock) Close() error {
	if u.client != nil {
		u.client.Close()
	}
	if u.socket == nil {
		return nil
	}
	return u.socket.Close()
}

// accept waits for a client until the deadline. None would come to a socket that somebody has removed, such as who
// cleans up /run: that is an error, after which the engine has it made again.
func (u *unixsock) accept(deadline time.Time) error {
	if !u.socket.Named() && !u.stopping {
		return fmt.Errorf("the socket %s was removed, so that no client finds it", u.path)
	}
	if err := u.listener.SetDeadline(deadline); err != nil {
		return err
	}
	c, err := u.listener.AcceptUnix()
	if err != nil {
		return u.notAccepted(err, deadline)
	}
	if u.bufsize > 0 {
		if err := c.SetReadBuffer(u.bufsize); err != nil {
			u.env.Limited().Warn("bufsize: cannot set the receive buffer", "octets", u.bufsize, "error", err)
		}
	}
	u.client = c
	u.clients.Add(1)
	return nil
}

// pauseAfter is how long nobody is accepted after the system had no room for a client.
const pauseAfter = 100 * time.Millisecond

// notAccepted deals with what keeps a client from being accepted. It returns what ends the input:
// not that the deadline has come, nor that the process or the system has no file descriptor or
// memory left, nor that the client is gone already: all of that passes.
func (u *unixsock) notAccepted(err error, deadline time.Time) error {
	for _, passing := range []error{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM} {
		if !errors.Is(err, passing) {
			continue
		}
		u.failed.Add(1)
		u.env.Limited().Error("a client cannot be accepted; trying again", "path", u.path, "error", err,
			"failed_so_far", u.failed.Load(),
			"remedy", "raise the limit of open files (ulimit -n, LimitNOFILE=), or find who uses them up")
		time.Sleep(min(pauseAfter, time.Until(deadline))) // the client stays in the queue, and would be reported at once again
		return nil
	}
	if errors.Is(err, unix.ECONNABORTED) || errors.Is(err, unix.EINTR) {
		return nil
	}
	return notTimeout(err)
}

// turnedAway is how many are turned away at a time: whoever connects again and again does not keep the first client's
// packets from being read.
const turnedAway = 64

// Tick turns away clients that came while one is connected, as ulogd2 does.
func (u *unixsock) Tick(now time.Time) {
	if u.client == nil {
		return
	}
	// A deadline that has passed makes Accept return at once, so one a little ahead is set: what
	// waits is there already.
	for range turnedAway {
		if u.listener.SetDeadline(now.Add(time.Millisecond)) != nil {
			return
		}
		c, err := u.listener.AcceptUnix()
		if err != nil {
			return
		}
		c.Close()
		u.refused.Add(1)
	}
}

// drop ends the client's connection.
func (u *unixsock) drop() {
	u.client.Close()
	u.client = nil
	u.stream.reset()
}
