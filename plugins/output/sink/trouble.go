// Complaints about the other side: seldom, and with what they cost.

package sink

import "ulogd/engine"

// Trouble says what is wrong with a file or a peer, as seldom as a LimitedLog does, with how many records were dropped, and when it is over.
type Trouble struct {
	Env  *engine.Env
	What string // what Name is: file, peer
	Name string

	any     bool // there was a complaint, and it has not worked since
	dropped int  // records dropped since
}

// Dropped notes that n records more were dropped.
func (t *Trouble) Dropped(n int) { t.dropped += n }

// Any reports whether there was a complaint that is not over.
func (t *Trouble) Any() bool { return t.any }

// Say complains.
func (t *Trouble) Say(text string, err error) {
	if t.Env.Limited().Error(text, t.What, t.Name, "error", err, "dropped", t.dropped) {
		t.any, t.dropped = true, 0
	}
}

// Over says that it works again.
func (t *Trouble) Over(text string) {
	t.Env.Log.Info(text, t.What, t.Name, "dropped", t.dropped)
	t.any, t.dropped = false, 0
}
