// Bringing files to the disk, one after another, beside the flow of records.

package spool

import (
	"context"
	"os"
	"sync"
)

// A syncer synchronises files in the order in which they are handed to it.
type syncer struct {
	s *Spool

	mu   sync.Mutex
	jobs []job
	busy bool // somebody works
}

// job is a file to be synchronised and, if nothing more will be written to it, closed.
type job struct {
	file  *os.File
	seg   *segment
	close bool
}

func (y *syncer) add(j job) {
	y.mu.Lock()
	y.jobs = append(y.jobs, j)
	idle := !y.busy
	y.busy = true
	y.mu.Unlock()
	if idle {
		y.s.Go(y.work)
	}
}

// next returns a job, or false when there is none and the worker is to end.
func (y *syncer) next() (j job, ok bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.busy = len(y.jobs) > 0; y.busy {
		j, y.jobs = y.jobs[0], y.jobs[1:]
	}
	return j, y.busy
}

func (y *syncer) work(context.Context) {
	for j, ok := y.next(); ok; j, ok = y.next() {
		var err error
		if !j.seg.deleted.Load() { // what is deleted need not be kept
			err = j.file.Sync()
		}
		if j.close {
			if e := j.file.Close(); err == nil {
				err = e
			}
		}
		if err != nil {
			y.s.Often.Error("synchronise the spool", "error", err)
		}
	}
}
