package mmsg

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/test/nstest"
)

// pair returns a receiver on a loopback UDP socket, the socket, and a connection that sends to it.
func pair(t testing.TB) (*Receiver, *net.UDPConn, net.Conn) {
	t.Helper()
	in, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	out, err := net.Dial("udp4", in.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	raw, err := in.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return New(raw), in, out
}

func TestManyDatagramsInOneCall(t *testing.T) {
	r, in, out := pair(t)
	buf := make([]byte, Most*128)
	if n, err := r.TryReceive(buf, 128); n != 0 || err != nil {
		t.Fatalf("an empty socket gave %d datagrams, error %v", n, err)
	}
	for i := range 100 {
		fmt.Fprintf(out, "datagram %d", i)
	}
	fmt.Fprintf(out, "%s", bytes.Repeat([]byte{'x'}, 200))
	in.SetReadDeadline(time.Now().Add(30 * time.Second))
	n, err := r.WaitReceive(buf, 128)
	if n != Most || err != nil {
		t.Fatalf("%d datagrams, error %v; want %d", n, err, Most)
	}
	for i := range n {
		if got := string(r.Datagram(i)); got != fmt.Sprintf("datagram %d", i) || r.Truncated(i) {
			t.Errorf("datagram %d is %q", i, got)
		}
		if !bytes.HasPrefix(buf[i*128:], r.Datagram(i)) {
			t.Errorf("datagram %d is not in its slot", i)
		}
	}
	n, err = r.TryReceive(buf, 128)
	if n != 37 || err != nil {
		t.Fatalf("then %d datagrams, error %v; want 37", n, err)
	}
	if !r.Truncated(36) || len(r.Datagram(36)) != 128 {
		t.Errorf("a datagram of 200 octets: %d octets, truncated %v", len(r.Datagram(36)), r.Truncated(36))
	}
}

func TestDeadlineIsNoError(t *testing.T) {
	r, in, _ := pair(t)
	buf := make([]byte, 1024)
	for range 2 { // the second time it has passed before the call
		in.SetReadDeadline(time.Now().Add(time.Millisecond))
		if n, err := r.WaitReceive(buf, 512); n != 0 || err != nil {
			t.Errorf("%d datagrams, error %v", n, err)
		}
	}
}

func TestClosedSocketIsAnError(t *testing.T) {
	r, in, _ := pair(t)
	in.Close()
	if _, err := r.TryReceive(make([]byte, 64), 64); !errors.Is(err, net.ErrClosed) {
		t.Errorf("try: %v", err)
	}
	if _, err := r.WaitReceive(make([]byte, 64), 64); err == nil {
		t.Error("wait: no error")
	}
}

func TestDropsAreCounted(t *testing.T) {
	nstest.Need(t, "native")
	r, in, out := pair(t)
	in.SetReadBuffer(4096)
	const sent = 200
	for range sent {
		out.Write(make([]byte, 512))
	}
	read, buf := 0, make([]byte, Most*512)
	for {
		n, err := r.TryReceive(buf, 512)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		read += n
	}
	drops, err := r.Drops()
	if err != nil {
		t.Fatal(err)
	}
	if read == sent || read+int(drops) != sent {
		t.Errorf("%d read and %d dropped of %d", read, drops, sent)
	}
}

func TestReceiveDoesNotAllocate(t *testing.T) {
	r, in, out := pair(t)
	buf := make([]byte, Most*64)
	in.SetReadDeadline(time.Now().Add(time.Minute))
	payload := make([]byte, 32)
	if n := testing.AllocsPerRun(200, func() {
		out.Write(payload)
		if n, err := r.WaitReceive(buf, 64); n != 1 || err != nil {
			t.Errorf("%d datagrams, error %v", n, err)
		}
		r.TryReceive(buf, 64)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestErrors tells the kernel's answers apart.
func TestErrors(t *testing.T) {
	r := &Receiver{}
	for errno, want := range map[unix.Errno]error{unix.EAGAIN: nil, unix.EINTR: nil, unix.ENOBUFS: ErrOverrun, unix.EBADF: unix.EBADF} {
		r.errno = errno
		if _, err := r.result(); !errors.Is(err, want) {
			t.Errorf("%v gives %v", errno, err)
		}
	}
}

func TestDetachedSocket(t *testing.T) {
	r, in, out := pair(t)
	raw, err := in.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	d, err := Detach(raw)
	if err != nil {
		t.Fatal(err)
	}
	in.Close()
	buf := make([]byte, Most*64)
	if _, err := r.TryReceive(buf, 64); err == nil {
		t.Fatal("the connection is still open")
	}
	r = New(d)
	d.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if n, err := r.WaitReceive(buf, 64); n != 0 || err != nil {
		t.Errorf("%d datagrams, error %v, want none at the deadline", n, err)
	}
	d.SetReadDeadline(time.Now().Add(30 * time.Second))
	time.AfterFunc(10*time.Millisecond, func() { out.Write([]byte("one")) })
	if n, err := r.WaitReceive(buf, 64); n != 1 || err != nil || string(r.Datagram(0)) != "one" {
		t.Errorf("%d datagrams, error %v", n, err)
	}
	out.Write([]byte("two"))
	if ready, err := Wait(time.Now().Add(5*time.Second), d); !ready || err != nil {
		t.Errorf("ready %v, error %v", ready, err)
	}
	if n := testing.AllocsPerRun(100, func() { Wait(time.Now().Add(time.Second), d) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
