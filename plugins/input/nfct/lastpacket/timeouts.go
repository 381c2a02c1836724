// Following the kernel's timeouts: their files stay open, so that reading them again takes neither
// rights nor a change of the namespace.

package lastpacket

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// timeoutsEvery is how often they are read.
const timeoutsEvery = time.Second

// Timeouts are the settings of the namespace that is read.
type Timeouts struct {
	Lifetimes
	files map[string]*os.File
	next  time.Time
}

// Open opens the files, which are in dir; the thread must be in the namespace. A kernel has no file for what it does
// not track.
func (t *Timeouts) Open(dir string) {
	t.files = map[string]*os.File{}
	for name := range new(timeoutSet).sysctls() {
		if f, err := os.Open(dir + "nf_conntrack_" + name); err == nil {
			t.files[name] = f
		}
	}
	t.Lifetimes = Lifetimes{{timeoutSet: t.read()}}
}

// Look reads them again.
func (t *Timeouts) Look(now time.Time) {
	if now.Before(t.next) {
		return
	}
	t.next = now.Add(timeoutsEvery)
	if len(t.Lifetimes) == 0 {
		return
	}
	if fresh := t.read(); fresh != t.Lifetimes[len(t.Lifetimes)-1].timeoutSet {
		t.Lifetimes = t.change(fresh, now.UnixNano())
	}
}

func (t *Timeouts) read() (fresh timeoutSet) {
	var buf [32]byte
	for name, to := range fresh.sysctls() {
		f := t.files[name]
		if f == nil {
			continue
		}
		n, _ := f.ReadAt(buf[:], 0)
		if seconds, err := strconv.ParseInt(string(bytes.TrimSpace(buf[:n])), 10, 64); err == nil {
			*to = seconds * Second
		}
	}
	return fresh
}

func (t *Timeouts) Close() {
	for _, f := range t.files {
		f.Close()
	}
	t.files, t.Lifetimes = nil, nil
}
