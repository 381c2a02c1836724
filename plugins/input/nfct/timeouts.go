// Following the kernel's timeouts: their files stay open, so that reading them again takes neither
// rights nor a change of the namespace.

package nfct

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// timeoutsEvery is how often they are read.
const timeoutsEvery = time.Second

// timeoutFiles are the settings of the namespace that is read.
type timeoutFiles struct {
	lifetimes
	files map[string]*os.File
	next  time.Time
}

// open opens the files; the thread must be in the namespace. A kernel has no file for what it does
// not track.
func (t *timeoutFiles) open() {
	t.files = map[string]*os.File{}
	for name := range new(timeouts).sysctls() {
		if f, err := os.Open(sysctlDir + "nf_conntrack_" + name); err == nil {
			t.files[name] = f
		}
	}
	t.lifetimes = lifetimes{{timeouts: t.read()}}
}

// look reads them again.
func (t *timeoutFiles) look(now time.Time) {
	if now.Before(t.next) {
		return
	}
	t.next = now.Add(timeoutsEvery)
	if len(t.lifetimes) == 0 {
		return
	}
	if fresh := t.read(); fresh != t.lifetimes[len(t.lifetimes)-1].timeouts {
		t.lifetimes = t.change(fresh, now.UnixNano())
	}
}

func (t *timeoutFiles) read() (fresh timeouts) {
	var buf [32]byte
	for name, to := range fresh.sysctls() {
		f := t.files[name]
		if f == nil {
			continue
		}
		n, _ := f.ReadAt(buf[:], 0)
		if seconds, err := strconv.ParseInt(string(bytes.TrimSpace(buf[:n])), 10, 64); err == nil {
			*to = seconds * second
		}
	}
	return fresh
}

func (t *timeoutFiles) close() {
	for _, f := range t.files {
		f.Close()
	}
	t.files, t.lifetimes = nil, nil
}
