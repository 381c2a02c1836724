// A scene is offered load at rising rates, to one program after the other.

package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"ulogd/test/bench/measure"
)

// steps are the rates that are tried, a second.
var steps = []int{10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000}

// scene is one way to offer load.
type scene struct {
	name, title string
	unit        string // what is offered: packets, connections
	programs    []program
	// step runs a program through so many seconds of load.
	step func(t testing.TB, p program, rate, seconds int) point
}

// program is one that takes part.
type program struct {
	name string
	// command writes what configuration the program needs into dir, and returns its command line. What
	// it makes of the load goes to the sink at that address, which may be a file.
	command func(dir, sink string) string
	ours    bool
	// A held program stands still while the load is sent: it must lose what does not fit the kernel's
	// buffer. So it is tried whether losses are counted.
	held bool
}

// point is what a step has shown.
type point struct {
	Asked   int     // a second
	Offered float64 // a second
	Sent    int
	Arrived int     // at the sink, until the program had ended
	Nanos   float64 // of CPU time for each that arrived before the program was told to end
	P50     time.Duration
	P99     time.Duration
	Own     int // what the program itself says it has lost; -1: it does not say
}

func (p point) lost() int { return p.Sent - p.Arrived }

// share is the lost part of what was offered.
func (p point) share() float64 { return float64(p.lost()) / float64(p.Sent) }

// curve is a program's points.
type curve struct {
	Program string
	Points  []point
}

// reached is the part of a rate that must have been offered: with less, the sender is at its end.
const reached = 0.85

// run offers rising rates until the sender can send no faster, all programs by turns, so that a
// change of the machine's speed meets all of them.
func (s scene) run(out io.Writer, seconds, most int) ([]curve, error) {
	fmt.Fprintf(out, "\n%s\n%-12s %11s %11s %11s %11s %9s %11s %10s %10s %10s\n", s.title,
		"", "asked/s", "offered/s", "sent", "lost", "lost %", "own count", "ns each", "p50 ms", "p99 ms")
	// The garbage of one step is collected before the next: a collection would stop the sender.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	curves := make([]curve, len(s.programs))
	for _, rate := range steps {
		if rate > most {
			break
		}
		slow := 0
		for i, p := range s.programs {
			var pt point
			runtime.GC()
			if err := measure.Run(func(t testing.TB) { pt = s.step(t, p, rate, seconds) }); err != nil {
				return curves, fmt.Errorf("%s at %d a second: %w", p.name, rate, err)
			}
			curves[i].Program = p.name
			curves[i].Points = append(curves[i].Points, pt)
			own := "-"
			if pt.Own >= 0 {
				own = fmt.Sprint(pt.Own)
			}
			fmt.Fprintf(out, "%-12s %11d %11.0f %11d %11d %9.3f %11s %10.0f %10.2f %10.2f\n", p.name, pt.Asked, pt.Offered,
				pt.Sent, pt.lost(), 100*pt.share(), own, pt.Nanos, millis(pt.P50), millis(pt.P99))
			if pt.Offered < reached*float64(rate) {
				slow++
			}
		}
		if slow == len(s.programs) {
			break
		}
	}
	return curves, nil
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
