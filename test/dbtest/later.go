// A server that is down when a stack starts.

package dbtest

import (
	"testing"

	"ulogd/test/stacktest"
)

// ComesLater starts a stack and sends it records while the server is down, and starts the server when the stack has
// said so and holds all of them. Then the stack ends.
func (s *Server) ComesLater(t *testing.T, stack stacktest.Setup, records ...stacktest.Record) {
	t.Helper()
	s.Kill()
	st := stack.Start(t)
	st.Send(records...)
	st.Eventually("say so", func() bool { return st.Log.Has("cannot connect; trying again") })
	if got := st.Stats(); got.Held != int64(len(records)) || got.Out != 0 {
		t.Errorf("%d are held and %d out, want all %d held", got.Held, got.Out, len(records))
	}
	s.Start()
	st.End()
}
