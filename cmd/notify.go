// What a service manager is told, by sd_notify(3): that the daemon runs, that it reloads, that it ends,
// and, where it keeps a watchdog, that the daemon is alive.

package cmd

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/health"
)

// notifier tells the service manager, if there is one. NOTIFY_SOCKET and WATCHDOG_USEC say so.
type notifier struct {
	log    *slog.Logger
	hungry <-chan time.Time // the watchdog is; never without one
	failed atomic.Bool      // it was said that the service manager cannot be told
	ending atomic.Bool
	stacks atomic.Int64 // that run
}

// feedsPerTimeout is how often the watchdog is fed in the time after which it bites: one that is missed
// because the clock was set costs nothing.
const feedsPerTimeout = 4

func newNotifier(log *slog.Logger) *notifier {
	n := &notifier{log: log}
	every, err := sd.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("the watchdog of the service manager is not fed", "error", err)
	}
	if err == nil && every > 0 {
		n.hungry = time.NewTicker(max(every/feedsPerTimeout, time.Millisecond)).C
	}
	return n
}

func (n *notifier) tell(state ...string) {
	_, err := sd.SdNotify(false, strings.Join(state, "\n"))
	if err != nil && !n.failed.Swap(true) {
		n.log.Warn("the service manager cannot be told how the daemon is", "error", err,
			"remedy", "NOTIFY_SOCKET names its socket; sd_notify(3)")
	}
}

// ready says that all is open and runs. Who ends is not ready again, be it that a reload was under way.
func (n *notifier) ready() {
	if n.ending.Load() {
		return
	}
	n.tell(sd.SdNotifyReady, "STATUS=running "+count(int(n.stacks.Load()), "stack"))
}

// reloading says that the daemon is about to do what it was asked for. It ends with ready.
func (n *notifier) reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		n.log.Warn("the monotonic clock cannot be read", "error", err)
	}
	n.tell(sd.SdNotifyReloading, fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000))
}

// stopping says that the daemon ends.
func (n *notifier) stopping() {
	if !n.ending.Swap(true) {
		n.tell(sd.SdNotifyStopping, "STATUS=handing on what was read")
	}
}

// alive feeds the watchdog if the goroutines that carry records turn. The main loop calls it.
func (n *notifier) alive(m *engine.Machine) {
	if troubles := health.Alive(m, time.Now()); len(troubles) > 0 {
		n.log.Error("the watchdog is not fed: " + strings.Join(troubles, "; "))
		return
	}
	n.tell(sd.SdNotifyWatchdog)
}
