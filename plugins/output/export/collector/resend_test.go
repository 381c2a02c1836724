package collector

import (
	"runtime"
	"testing"
	"time"
	"unsafe"
)

// setClock returns a time as package time would have it if somebody had moved the clock on the wall by whole seconds:
// the monotonic reading is as it was.
func setClock(t *testing.T, at time.Time, by time.Duration) time.Time {
	t.Helper()
	moved := at
	(*struct{ wall uint64 })(unsafe.Pointer(&moved)).wall += uint64(by/time.Second) << 30 // seconds stand above nanoseconds
	if moved.Sub(at) != 0 || moved.UnixNano()-at.UnixNano() != int64(by) {
		t.Fatalf("package time has changed: %v and %v", at, moved)
	}
	return moved
}

// What was sent is kept for resend_time, be it that the clock is set meanwhile: back it would be kept, with all that
// came behind it, until the buffer is full; forward nothing would be sent again.
func TestWindowWhileTheClockIsSet(t *testing.T) {
	for _, by := range []time.Duration{0, -time.Hour, time.Hour} {
		now := time.Now()
		q := &Queue{
			window: Window{Time: 10 * time.Second}, chunk: 1,
			chunks: []*chunk{newChunk(chunkSize), newChunk(chunkSize)},
		}
		q.chunks[0].add([]byte("sent"), Mark{Records: 1, sent: ticks(now)})
		for _, c := range []struct {
			after time.Duration
			want  int
		}{{9 * time.Second, 2}, {11 * time.Second, 1}} {
			q.trim(setClock(t, now.Add(c.after), by))
			if len(q.chunks) != c.want {
				t.Errorf("set by %v, %v later: %d chunks are left, want %d", by, c.after, len(q.chunks), c.want)
			}
		}
	}
}

// TestMemoryAfterAnAbsence: when what waited for a collector has been sent, most of its memory goes back, be it that
// what was sent is kept for a while or not at all.
func TestMemoryAfterAnAbsence(t *testing.T) {
	const waited = 64
	for name, w := range map[string]Window{"a stream's window": {Octets: 1}, "no window": {}} {
		t.Run(name, func(t *testing.T) {
			q := &Queue{window: w, max: waited * chunkSize, piece: chunkSize}
			for range waited {
				c := newChunk(chunkSize)
				c.add(make([]byte, chunkSize), Mark{Records: 1})
				q.chunks = append(q.chunks, c)
			}
			full := inUse()
			q.chunk, q.message = waited-1, 1 // all have been sent
			q.restart()
			q.trim(time.Now())
			q.shrink()
			if got := full - inUse(); got < (waited*3/4)*chunkSize {
				t.Errorf("%d octets of %d went back", got, waited*chunkSize)
			}
			runtime.KeepAlive(q)
		})
	}
}

// inUse returns the octets of memory that are in use.
func inUse() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
