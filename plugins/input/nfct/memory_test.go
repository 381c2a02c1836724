package nfct

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"ulogd/test/nstest"
)

func TestRoomForConnections(t *testing.T) {
	for _, c := range []struct {
		kernel  int
		memory  uint64
		most    int
		limited bool
	}{
		{262144, 1 << 34, 262144, false},
		{262144, 16 << 20, 16 << 20 / entryOctets, true},
		{1 << 30, 1 << 60, mostEntries, true},
		{16384, 100, 1, true},
	} {
		if most, limited := fit(c.kernel, c.memory); most != c.most || limited != c.limited {
			t.Errorf("%+v: %d, %v", c, most, limited)
		}
	}
}

func TestMemoryOfTheMachine(t *testing.T) {
	const meminfo = "MemTotal:         262144 kB\nMemFree:         1 kB\n"
	ceiling := uint64(1 << 62)
	if strconv.IntSize == 32 {
		ceiling = 1 << 29
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  uint64
	}{
		"a router":              {map[string]string{"proc/meminfo": meminfo}, 128 << 20},
		"nothing is known":      {nil, ceiling},
		"a group above":         {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "67108864\n"}, 32 << 20},
		"version 1":             {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "4:cpu:/x\n3:memory:/y\n", "sys/fs/cgroup/memory/y/memory.limit_in_bytes": "33554432\n"}, 16 << 20},
		"version 1 without one": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "3:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 128 << 20},
	} {
		root := t.TempDir()
		for file, text := range c.files {
			os.MkdirAll(filepath.Join(root, filepath.Dir(file)), 0o755)
			os.WriteFile(filepath.Join(root, file), []byte(text), 0o644)
		}
		if got := memoryFor(root); got>>1 != c.want>>1 && got != c.want-1 {
			t.Errorf("%s: %d octets, want %d", name, got, c.want)
		}
	}
}

// TestKernelsLimitIsFollowed raises the limit while the instance runs.
func TestKernelsLimitIsFollowed(t *testing.T) {
	nstest.ConntrackMax(t, 1) // nobody else changes it now
	before, err := readSysctl("nf_conntrack_max")
	if err != nil {
		t.Fatal(err)
	}
	s := play(t, nil)
	s.stop()
	n := s.n
	n.hashMax = 0
	if err := n.limit.open(n); err != nil {
		t.Fatal(err)
	}
	defer n.limit.close()
	if n.table.Most != before {
		t.Errorf("%d connections, the kernel has a limit of %d", n.table.Most, before)
	}
	now := time.Now()
	nstest.ConntrackMax(t, before+1000)
	if n.limit.look(n, now); n.table.Most != before {
		t.Error("the kernel is asked all the time")
	}
	if n.limit.look(n, now.Add(limitEvery)); n.table.Most != before+1000 {
		t.Errorf("%d connections, the kernel's limit is now %d", n.table.Most, before+1000)
	}
}
