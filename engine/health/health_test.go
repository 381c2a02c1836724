package health_test

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
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
)

// hung is an input that turns until it is told to hang.
type hung struct{ hang chan struct{} }

func (h *hung) Options(*engine.Options) {}

func (h *hung) Bind(*engine.Binder) {}

func (h *hung) Read(_ *engine.Batch, until time.Time) error {
	time.Sleep(time.Until(until))
	select {
	case <-h.hang:
		time.Sleep(5 * time.Second)
		return io.EOF
	default:
		return nil
	}
}

var hang = make(chan struct{})

func init() {
	engine.Register(engine.Plugin{Name: "HUNG", Input: func() engine.Input { return &hung{hang} }})
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

func TestInputThatHangs(t *testing.T) {
	m := runs(t, `stack = ["h:HUNG,n:NULL", "g:GEN,n:NULL"]
[g]
count = 0
rate = 10
`)
	if got := soon(m); len(got) > 0 {
		t.Errorf("all turn, but %q", got)
	}
	close(hang)
	time.Sleep(3 * time.Second)
	if got := soon(m); !slices.Equal(got, []string{"h:HUNG has stood still for 1m1s"}) {
		t.Errorf("of two inputs one hangs, but %q", got)
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
