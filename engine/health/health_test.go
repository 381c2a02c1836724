package health_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/conf"
	"ulogd/engine"
	"ulogd/engine/health"
	_ "ulogd/plugins/input/gen"
	_ "ulogd/plugins/output/null"
	_ "ulogd/plugins/output/print"
	"ulogd/stacks"
	"ulogd/test/nstest"
)

// hung is an input that turns until it is told to hang, and goes on when it is told to.
type hung struct{ hang, goOn chan struct{} }

func (h *hung) Options(*engine.Options) {}

func (h *hung) Bind(*engine.Binder) {}

func (h *hung) Read(_ *engine.Batch, until time.Time) error {
	time.Sleep(time.Until(until))
	select {
	case <-h.hang:
		<-h.goOn
	default:
	}
	return nil
}

// hungOut is an output with a goroutine of its own that does so.
type hungOut struct{ *hung }

func (*hungOut) Blocks() bool { return true }

func (h *hungOut) Bind(*engine.Binder) engine.Stage { return h }

func (h *hungOut) Consume(*engine.Batch) {
	select {
	case <-h.hang:
		<-h.goOn
	default:
	}
}

var in, out = &hung{make(chan struct{}), make(chan struct{})}, &hung{make(chan struct{}), make(chan struct{})}

func init() {
	engine.Register(engine.Plugin{Name: "HUNG", Input: func() engine.Input { return in }})
	engine.Register(engine.Plugin{Name: "HUNGOUT", Output: func() engine.Output { return &hungOut{out} }})
}

// runs runs stacks until the test ends.
func runs(t *testing.T, text string) *engine.Machine {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.toml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	file, problems := conf.Load(path)
	plan, more := stacks.Build(file, &engine.Default, slog.New(slog.DiscardHandler))
	if errs := append(problems, more...).Errors(); len(errs) > 0 {
		t.Fatal(errs)
	}
	if err := plan.Machine.Open(); err != nil {
		t.Fatal(err)
	}
	plan.Machine.Start()
	t.Cleanup(func() {
		plan.Machine.Stop(0)
		plan.Machine.Wait()
	})
	return plan.Machine
}

// soon is what Alive says when a minute will be over for who has stood still for two seconds by now.
func soon(m *engine.Machine) []string { return health.Alive(m, time.Now().Add(58*time.Second)) }

// Who hangs is named, and all is well again when it goes on.
func TestLoopsThatHang(t *testing.T) {
	m := runs(t, `stack = ["h:HUNG,n:NULL", "g:GEN,n:NULL", "g:GEN,o:HUNGOUT"]
[g]
count = 0
rate = 10
`)
	for _, c := range []struct {
		what *hung
		want string
	}{{in, "h:HUNG has stood still for 1m"}, {out, "o:HUNGOUT has stood still for 1m"}} {
		if got := soon(m); len(got) > 0 {
			t.Errorf("all turn, but %q", got)
		}
		close(c.what.hang)
		nstest.Eventually(t, time.Minute, func() error {
			if got := soon(m); len(got) != 1 || !strings.HasPrefix(got[0], c.want) {
				return fmt.Errorf("one hangs, but %q, want %s", got, c.want)
			}
			return nil
		})
		close(c.what.goOn)
		nstest.Eventually(t, time.Minute, func() error {
			if got := soon(m); len(got) > 0 {
				return fmt.Errorf("it goes on, but %q", got)
			}
			return nil
		})
	}
}

// Who reads a pipe may take his time: to end the daemon would lose what it holds for him.
func TestOutputWhoseReaderTakesNothing(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, queue := range []string{"", "queue = 0\n"} { // with a goroutine of its own, and on the input's
		m := runs(t, `stack = "g:GEN,p:PRINT"
[g]
count = 0
rate = 100000
[p]
file = "`+fifo+"\"\n"+queue)
		time.Sleep(3 * time.Second)
		if got := soon(m); len(got) > 0 {
			t.Errorf("a pipe is full, but with %q %q", queue, got)
		}
	}
}
