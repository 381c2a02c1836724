// Making the kernel look for entries that have run out. It looks by itself once a minute or so;
// whoever reads its table makes it look at once.

package nfct

import (
	"context"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/mmsg"
	"ulogd/plugins/input/netlink/nlattr"
	"ulogd/plugins/input/nfct/ctnetlink"
)

// expirer asks for the connections of a family that none is of: the kernel goes through its table,
// removes what has run out, and sends nothing.
type expirer struct {
	socket   *mmsg.Socket
	interval time.Duration
	mine     func() bool // whether no other instance does it
	apart    *engine.Counter
	finished chan struct{}
}

// share is the part of a core that looking may cost: a 200th for this, and as much for the dumps
// that date connections.
const share = 200

// expire starts looking, unless polls of the table do it.
func (n *nfct) expire() error {
	if n.expireInterval == 0 || n.pollInterval > 0 {
		return nil
	}
	n.finished = make(chan struct{})
	s, err := ctnetlink.Open(n.place.Path)
	if err != nil {
		return err
	}
	x := &expirer{socket: s, interval: n.expireInterval, mine: n.firstOf(n.hub), finished: n.finished}
	x.apart = n.env.Stats.Gauge(
		"expire_interval_seconds",
		"time between the last two looks at the kernel's table (expire_interval, or more where it is large): "+
			"ends are late by at most that",
	)
	n.env.Go(x.run)
	return nil
}

// run looks until the daemon ends.
func (x *expirer) run(ctx context.Context) {
	defer x.socket.Close()
	wait, last := x.interval, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-x.finished:
			return
		case <-time.After(wait):
		}
		wait = x.interval
		now := time.Now()
		between := now.Sub(last)
		last = now
		if !x.mine() {
			continue
		}
		x.apart.Set(int64(between.Round(time.Second) / time.Second))
		cost, err := x.look()
		if err != nil {
			wait = time.Minute // such as no right any more: ends are told when the kernel finds them
		}
		wait = max(wait, share*cost)
	}
}

// look goes through the table once and returns the time of the processor that it took.
func (x *expirer) look() (time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := threadTime()
	err := ctnetlink.Dump(
		x.socket,
		ctnetlink.MsgGet,
		unix.AF_UNIX,
		time.Now().Add(10*time.Second),
		func(*nlattr.Message) {},
	)
	return threadTime() - before, err
}

// threadTime is what the calling thread has used of a processor.
func threadTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
