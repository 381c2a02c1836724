// Work that has to be done in a namespace again and again.

package netns

// A Place is a network namespace that was entered once. Entering takes rights that a process may
// give up (ulogd -u); work in a Place goes on.
type Place struct {
	id   uint64
	work chan func()
}

// ID returns the namespace's inode number, 0 for the daemon's own.
func (p *Place) ID() uint64 { return p.id }

// Stay enters the namespace that the file path stands for; "" is the daemon's own. A thread stays
// there until Close.
func Stay(path string) (*Place, error) {
	if path == "" {
		return &Place{}, nil
	}
	p := &Place{work: make(chan func())}
	entered := make(chan error, 1)
	go func() {
		err := Do(path, func() error {
			p.id = Here()
			entered <- nil
			for f := range p.work {
				f()
			}
			return nil
		})
		if err != nil {
			entered <- err
		}
	}()
	if err := <-entered; err != nil {
		return nil, err
	}
	return p, nil
}

// Do calls f in the namespace and returns when f has.
func (p *Place) Do(f func()) {
	if p.work == nil {
		f()
		return
	}
	done := make(chan struct{})
	p.work <- func() {
		defer close(done)
		f()
	}
	<-done
}

// Close leaves the namespace.
func (p *Place) Close() {
	if p.work != nil {
		close(p.work)
	}
}
