// Live inputs that fail, and come back.

package stacks_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/test/stacktest"
)

// FLAKY is a live input whose device the test breaks and mends.
type flaky struct {
	mark engine.Col[uint32]
	g    engine.Group
	open bool
}

var (
	flakyWorks  atomic.Bool
	flakyReason atomic.Value // string
)

func init() {
	engine.Register(engine.Plugin{Name: "FLAKY", Input: func() engine.Input { return &flaky{} }})
}

func (f *flaky) Options(*engine.Options) {}

func (f *flaky) Live() bool { return true }

func (f *flaky) Bind(p *engine.Binder) {
	f.g = p.Group()
	f.mark = engine.Give(p, f.g, key.OOBMark)
}

func (f *flaky) Open(*engine.Env) error {
	if f.open {
		return errors.New("opened twice")
	}
	if !flakyWorks.Load() {
		return errors.New(flakyReason.Load().(string))
	}
	f.open = true
	return nil
}

func (f *flaky) Close() error {
	f.open = false
	return nil
}

func (f *flaky) Signal(engine.Signal) {
	if !f.open {
		panic("a signal for an input that is down")
	}
}

func (f *flaky) Read(b *engine.Batch, _ time.Time) error {
	if !flakyWorks.Load() {
		return errors.New(flakyReason.Load().(string))
	}
	time.Sleep(time.Millisecond)
	f.mark.Of(b)[0], b.Have()[0] = 1, f.g.Mask()
	b.Fill(1)
	return nil
}

func flakyDaemon(t *testing.T) *stacktest.Daemon {
	flakyWorks.Store(true)
	flakyReason.Store("the device has gone")
	return stacktest.Start(t, fmt.Sprintf(`
stack = "in:FLAKY,out:RECORD"
[out]
name = %q
`, t.Name()))
}

func TestALiveInputIsOpenedAgainUntilItWorks(t *testing.T) {
	d := flakyDaemon(t)
	d.Eventually("records come", func() bool { return d.Stats("in").Made > 3 })
	flakyWorks.Store(false)
	d.Eventually("the failure is told", func() bool { return d.Stats("in").Down == "the device has gone" })
	d.Machine.Signal(engine.Reopen)
	flakyReason.Store("no such device")
	d.Eventually("another reason is told", func() bool { return d.Log.Has("no such device") })
	flakyWorks.Store(true)
	d.Eventually("it works again", func() bool { return d.Log.Has("works again") && d.Stats("in").Down == "" })
	made := d.Stats("in").Made
	d.Eventually("records come again", func() bool { return d.Stats("in").Made > made+3 })
	d.Stop()
	if d.Count("in", "reopened") != 1 || d.Count("in", "down_ms") == 0 {
		t.Errorf("%+v", d.Stats("in"))
	}
}

func TestALiveInputThatIsDownAtTheEndIsAnError(t *testing.T) {
	d := flakyDaemon(t)
	d.Eventually("records come", func() bool { return d.Stats("in").Made > 3 })
	flakyWorks.Store(false)
	d.Eventually("it is down", func() bool { return d.Stats("in").Down != "" })
	err := d.StopFails()
	if err == nil || err.Error() != "in:FLAKY: was down when the daemon stopped: the device has gone" {
		t.Errorf("the end is told as %v", err)
	}
	flakyWorks.Store(true)
}
