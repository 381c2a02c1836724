// Sessions over TCP.

package collector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/plugins/output/dial"
)

// dialTimeout bounds one attempt to connect; the kernel's own patience is two minutes.
const dialTimeout = 10 * time.Second

// TCP is a connected stream socket that is written without waiting.
type TCP struct {
	conn  *net.TCPConn
	raw   syscall.RawConn
	sent  int64 // octets that the socket has taken
	acked int64 // of which the peer has acknowledged so many
	fin   int64 // 1 when the end has been sent, too: the kernel counts it as an octet

	// One attempt to write or read, kept here so that the closures that make them are allocated
	// once.
	p       []byte
	n       int
	err     error
	attempt func(fd uintptr) bool
	listen  func(fd uintptr) bool
	ask     func(fd uintptr)
	scrap   [4096]byte
}

// DialTCP returns a Dial for streams.
func DialTCP(to Address, from *dial.Settings) Dial {
	return func(ctx context.Context) (Session, error) {
		conn, err := dialTCP(ctx, to, from)
		if err != nil {
			return nil, err
		}
		return newTCP(conn)
	}
}

func dialTCP(ctx context.Context, to Address, from *dial.Settings) (*net.TCPConn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := from.Dial(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

func newTCP(conn *net.TCPConn) (*TCP, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("access the stream socket: %w", err)
	}
	t := &TCP{conn: conn, raw: raw}
	t.attempt = func(fd uintptr) bool {
		t.n, t.err = unix.SendmsgN(int(fd), t.p, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		return true
	}
	t.listen = func(fd uintptr) bool {
		t.n, _, t.err = unix.Recvfrom(int(fd), t.scrap[:], unix.MSG_DONTWAIT)
		return true
	}
	t.ask = func(fd uintptr) {
		if missing, err := unix.IoctlGetUint32(int(fd), unix.SIOCOUTQ); err == nil {
			t.acked = max(t.acked, min(t.sent, t.sent+t.fin-int64(missing)))
		}
	}
	return t, nil
}

// Send implements Session.
func (t *TCP) Send(p []byte, _ []Piece) (int, error) {
	done := 0
	for done < len(p) {
		t.p, t.n = p[done:], 0
		err := t.raw.Write(t.attempt)
		t.p = nil
		if err == nil {
			err = t.err
		}
		switch {
		case err == nil:
			done += t.n
			t.sent += int64(t.n)
		case errors.Is(err, unix.EAGAIN):
			return done, nil
		case errors.Is(err, unix.EINTR):
		default:
			return done, fmt.Errorf("send to %s: %w", t.conn.RemoteAddr(), err)
		}
	}
	return done, nil
}

// Drain implements Session.
func (t *TCP) Drain() error {
	for range 64 {
		if err := t.raw.Read(t.listen); err != nil {
			return err
		}
		switch {
		case errors.Is(t.err, unix.EAGAIN), errors.Is(t.err, unix.EINTR):
			return nil
		case t.err != nil:
			return fmt.Errorf("read from %s: %w", t.conn.RemoteAddr(), t.err)
		case t.n == 0:
			return io.EOF
		}
	}
	return nil
}

// Flush implements Session.
func (t *TCP) Flush() (bool, error) { return true, nil }

// Acked implements Session: what is not sent or not acknowledged (SIOCOUTQ, linux/sockios.h) is missing. Every kernel
// tells that, after a reset too.
func (t *TCP) Acked() int64 {
	_ = t.raw.Control(t.ask)
	return t.acked
}

// MaxMessage implements Session.
func (t *TCP) MaxMessage() int { return 0 }

// Ends implements Session.
func (t *TCP) Ends() engine.SocketPair {
	return engine.SocketPair{
		Protocol: unix.IPPROTO_TCP, Local: ends(t.conn.LocalAddr()),
		Remote: ends(t.conn.RemoteAddr()),
	}
}

// Shutdown implements Session.
func (t *TCP) Shutdown() error {
	err := t.conn.CloseWrite()
	if err == nil {
		t.fin = 1
	}
	return err
}

// Close implements Session.
func (t *TCP) Close() error { return t.conn.Close() }
