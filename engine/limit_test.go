// What a log with limits writes and holds back.

package engine_test

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ulogd/engine"
)

// lines is a log without times.
func lines(w *strings.Builder) *engine.LimitedLog {
	return engine.NewLimitedLog(slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{AddSource: true, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch a.Key {
		case slog.TimeKey:
			return slog.Attr{}
		case slog.SourceKey:
			s := a.Value.Any().(*slog.Source)
			return slog.String("at", fmt.Sprintf("%s:%d", filepath.Base(s.File), s.Line))
		}
		return a
	}})))
}

func TestLimitedLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		l := lines(&out)
		_, _, here, _ := runtime.Caller(0)
		fail := func() bool { return l.Error("cannot write", "error", errors.New("no space")) } // here + 1
		at := fmt.Sprintf("at=limit_test.go:%d", here+1)
		var written []bool
		for range 90 { // seconds
			written = append(written, fail())
			time.Sleep(time.Second)
		}
		for i, w := range written {
			if w != (i == 0 || i == 60) {
				t.Errorf("second %d: written: %v", i, w)
			}
		}
		l.Warn("another trouble") // has a limit of its own
		l.With("peer", "a").Error("cannot write")
		l.With("peer", "b").Error("cannot write")
		l.With("peer", "a").Error("cannot write")
		l.With("peer", "a").Over("works again")
		l.With("peer", "a").Over("works again")
		l.With("peer", "c").Over("works again")
		var got []string
		for line := range strings.Lines(out.String()) {
			got = append(got, strings.TrimSpace(line))
		}
		want := []string{
			`level=ERROR ` + at + ` msg="cannot write" error="no space"`,
			`level=ERROR ` + at + ` msg="cannot write" error="no space" held_back=59`,
			`level=WARN msg="another trouble"`,
			`level=ERROR msg="cannot write" peer=a`,
			`level=ERROR msg="cannot write" peer=b`,
			`level=WARN msg="works again" peer=a lasted=0s`,
		}
		for i, line := range got {
			if i >= 2 {
				level, rest, _ := strings.Cut(line, " at=limit_test.go:")
				_, rest, _ = strings.Cut(rest, " ")
				got[i] = level + " " + rest
			}
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}
