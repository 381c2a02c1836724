// How far the reading is, for a person at a terminal.

package pcap

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// progress tells a person at a terminal how far the reading is, twice a second, on standard error.
type progress struct {
	terminal bool
	known    bool
	name     string
	began    time.Time
	before   int64 // packets of earlier files
	shown    time.Time
	wrote    bool
}

// showEvery is how often the line is written.
const showEvery = 500 * time.Millisecond

func (p *progress) begin(name string, packets int64) {
	if !p.known {
		_, err := unix.IoctlGetTermios(int(os.Stderr.Fd()), unix.TCGETS)
		p.terminal, p.known = err == nil, true
	}
	p.name, p.began, p.before = name, time.Now(), packets
}

// show writes the rate, and the time that is left where the size is known.
func (p *progress) show(now time.Time, packets int64, src *source) {
	if !p.terminal {
		return
	}
	if now.Sub(p.shown) < showEvery {
		return
	}
	p.shown, p.wrote = now, true
	packets -= p.before
	took := now.Sub(p.began).Seconds()
	line := fmt.Sprintf("%s: %d packets, %.2f million a second", p.name, packets, float64(packets)/1e6/max(took, 0.001))
	if src.size > 0 && src.read > 0 {
		left := took * float64(src.size-src.read) / float64(src.read)
		line += fmt.Sprintf(", %d %%, %.0f s left", 100*src.read/src.size, left)
	}
	fmt.Fprintf(os.Stderr, "\r%s\x1b[K", line)
}

// end clears the line.
func (p *progress) end() {
	if p.wrote {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
		p.wrote = false
	}
}
