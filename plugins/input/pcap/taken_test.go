// What is kept of the files that have been read, whatever happens while it is written.

package pcap

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestTakenSurvives(t *testing.T) {
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	open := func() *taken {
		k := &taken{}
		if err := k.open(state); err != nil {
			t.Fatal(err)
		}
		return k
	}
	k := open()
	for i := range 1000 { // names that come again and again, as those of tcpdump -W
		name := fmt.Sprint("capture", i%3)
		k.add(name, info)
		if err := k.done(name); err != nil {
			t.Fatal(err)
		}
	}
	if k.lines > 200 || k.lines < 3 {
		t.Errorf("%d lines are kept of three files", k.lines)
	}
	if err := k.close(); err != nil {
		t.Fatal(err)
	}

	// The machine dies within a line.
	text, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(state, append(text, "4096 17000"...), 0o600); err != nil {
		t.Fatal(err)
	}
	k = open()
	k.add("more", info)
	if err := k.done("more"); err != nil {
		t.Fatal(err)
	}
	k.close()
	k = open()
	defer k.close()
	for _, name := range []string{"capture0", "capture1", "capture2", "more"} {
		if !k.has(name, info) {
			t.Errorf("%s is not known any more", name)
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("%d files are there, the state is one", len(files))
	}
}
