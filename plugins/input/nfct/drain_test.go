package nfct

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/plugins/input/netlink/mmsg"
)

// TestListThatNeverEndsDoesNotHoldTheShutdown: a kernel that does not answer the question what it has
// still to tell costs no more than the time that the operator gives.
func TestListThatNeverEndsDoesNotHoldTheShutdown(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[1]) // reads the question, and never answers
	s := playWith(t, func(set *settings) { set.reliable = true }, nil)
	m, err := mmsg.Detach(fd(fds[0]))
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fds[0])
	s.n.drain.table, s.n.drain.look.socket, s.n.drain.last.socket = m, m, m
	began := time.Now()
	s.stopped = true
	s.machine.Stop(time.Second)
	if err := s.machine.Wait(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 4*time.Second { // it was 5 s and more
		t.Errorf("the end took %v, one second was given", took)
	}
	if !s.log.Has("could not be read to its end") {
		t.Errorf("what is not known is not said:\n%s", &s.log)
	}
}
