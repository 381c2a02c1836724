// CPU time of programs, and which processors they have.

package measure

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPUTime is what all threads of a process, and of its descendants that live, have run, by the
// scheduler's clock (first field of schedstat): utime and stime of /proc/PID/stat are sampled, and
// a daemon that wakes at ticks of the clock is sampled wrongly. A thread that runs at the moment is
// behind by up to a tick: ask when it is idle.
func CPUTime(pid int) (total time.Duration) {
	for _, p := range family(pid) {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p)) // none once it has ended
		for _, file := range threads {
			if text, err := os.ReadFile(file); err == nil {
				var run int64
				fmt.Sscan(string(text), &run)
				total += time.Duration(run)
			}
		}
	}
	return total
}

// WaitIdle waits, for a minute at most, until a process uses less than a fiftieth of a processor: what
// it does by the clock remains.
func WaitIdle(pid int) {
	const look = 500 * time.Millisecond
	for last, tries := CPUTime(pid), 0; tries < 120; tries++ {
		time.Sleep(look)
		now := CPUTime(pid)
		if now-last < look/50 {
			return
		}
		last = now
	}
}

// family returns a process and its descendants.
func family(pid int) []int {
	parents := map[int]int{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text), ") ") // the name before may contain anything
		if f := strings.Fields(rest); len(f) > 1 {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			parents[child], _ = strconv.Atoi(f[1])
		}
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		for child, parent := range parents {
			if parent == all[i] {
				all = append(all, child)
			}
		}
	}
	return all
}

// Confine leaves this process one processor, also for the threads it will have and the programs it
// will start.
func Confine(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	threads, err := filepath.Glob("/proc/self/task/*")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		tid, _ := strconv.Atoi(filepath.Base(thread))
		if err := unix.SchedSetaffinity(tid, &set); err != nil && err != unix.ESRCH {
			return fmt.Errorf("give processor %d to thread %d: %w", cpu, tid, err)
		}
	}
	return nil
}

// FirstServed has the scheduler run the calling thread, which is locked, before all ordinary ones
// as soon as it wakes. It must sleep most of the time.
func FirstServed() error {
	const priority = 10 // any: what matters is the policy
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: priority}
	return unix.SchedSetAttr(0, &attr, 0)
}
