// What waits of a file.

package store_test

import (
	"testing"
	"time"

	_ "ulogd/plugins/input/gen"
	"ulogd/test/stacktest"
)

// A file is read ahead of a store that is away by the queue of a file and some batches, though the buffer has room for
// all of it.
func TestFileWaits(t *testing.T) {
	setup()
	there.down = true
	d := stacktest.Start(t, "stack = \"in:GEN,out:TESTSTORE\"\n[in]\ncount = 300000\n[out]\nbuffer = \"64MiB\"\n")
	held, same := int64(0), 0
	d.Eventually("it waits", func() bool {
		if now := d.Stats("out").Held; now == 0 || now != held {
			held, same = now, 0
		}
		same++
		return same == 20
	})
	d.Machine.Stop(100 * time.Millisecond)
	d.Wait()
	if most := int64(80_000); held > most { // a batch has some 8,000
		t.Errorf("%d records wait, want %d at most", held, most)
	}
}
