package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/test/nstest"
)

// TestFullDisk fills the disk under every output to files, makes room, and wants whole records
// alone, each that is missing counted, and one complaint.
func TestFullDisk(t *testing.T) {
	for _, o := range fileOutputs {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			disk := t.TempDir()
			f := startFlooded(t, o, "set -e; mount -t tmpfs -o size=64k none "+disk+"; dd if=/dev/zero of="+disk+"/ballast bs=1k count=32 2>&1; set +e", disk+"/records", disk)
			f.sendMore(t, 3000)
			full := f.settle(t)
			if full.Dropped == 0 {
				t.Fatal("the disk was never full")
			}
			if err := os.Remove(f.root + disk + "/ballast"); err != nil {
				t.Fatal(err)
			}
			f.sendMore(t, 20)
			after := f.settle(t)
			if after.Dropped != full.Dropped {
				t.Errorf("%d records were dropped though there was room", after.Dropped-full.Dropped)
			}
			f.stop(t)
			if c := strings.Count(f.shell.Output(), "cannot write; records are dropped"); c != 1 {
				t.Errorf("%d complaints within a minute", c)
			}
			files, _ := filepath.Glob(f.root + disk + "/*")
			if len(files) != 1 {
				t.Fatalf("not one file: %v", files)
			}
			numbers, err := o.records(files[0])
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(numbers) // NACCT's flows end in any order
			if last := numbers[max(0, len(numbers)-20):]; len(numbers) != int(after.Out) || !distinct(numbers) || last[0] != 3000 {
				t.Errorf("%d records in the file, %d counted, the last are %d", len(numbers), after.Out, last)
			}
		})
	}
}

// distinct reports whether none of the sorted numbers is there twice.
func distinct(numbers []int) bool { return len(slices.Compact(slices.Clone(numbers))) == len(numbers) }

// TestReaderGoesAway has every output write to a FIFO, whose reader goes and comes again: each
// reader gets whole records from a beginning on, and what nobody read is counted.
func TestReaderGoesAway(t *testing.T) {
	for _, o := range fileOutputs {
		if o.name == "XML" { // which names its files itself
			continue
		}
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			fifo := filepath.Join(dir, "fifo")
			f := startFlooded(t, o, "mkfifo "+fifo, fifo, "")
			var got []int
			for i := range 2 {
				f.sendMore(t, 50) // nobody reads
				missed := f.settle(t)
				if missed.Dropped != int64(50*(i+1)) {
					t.Fatalf("%d records were dropped, %d came while nobody read", missed.Dropped, 50*(i+1))
				}
				read := filepath.Join(dir, fmt.Sprint("read", i))
				reader := f.ns.Start(t, "cp "+fifo+" "+read)
				nstest.Eventually(t, time.Minute, func() error {
					if c := f.settle(t).Counters; !slices.Contains(c, engine.Reading{Name: "files_opened", Value: int64(i + 1)}) {
						return fmt.Errorf("the reader has not been noticed: %v", c)
					}
					return nil
				})
				f.sendMore(t, 50)
				f.settle(t)
				var numbers []int
				nstest.Eventually(t, time.Minute, func() (err error) {
					numbers, err = o.records(read)
					if err == nil && len(numbers) < 50 {
						err = fmt.Errorf("%d records were read", len(numbers))
					}
					return err
				})
				got = append(got, numbers...)
				reader.Stop(os.Kill)
			}
			f.stop(t)
			slices.Sort(got)
			if len(got) != 100 || got[0] != 50 || got[50] != 150 || !distinct(got) {
				t.Errorf("the readers got %v", got)
			}
		})
	}
}
