// How many connections are remembered: as many as the kernel tracks, within what memory allows.

package nfct

import (
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"ulogd/plugins/input/netlink/netns"
)

const (
	// entryOctets is what a remembered connection takes at most: its entry with its place in the
	// index, IPv6 addresses, what is rare and what was reported.
	entryOctets = 84 + 24 + 72 + 24 + 72

	// defaultTable is the number where the kernel does not say how many connections it tracks.
	defaultTable = 1 << 18

	// mostEntries is what the index can name.
	mostEntries = 1 << 28
)

// limit follows the kernel's limit on connections while the daemon runs.
type limit struct {
	place  *netns.Place
	memory uint64 // octets that the table may take
	given  bool   // hash_max_entries is set: nothing is followed
	most   int
	next   time.Time
}

// limitEvery is how often the kernel is asked.
const limitEvery = 10 * time.Second

func (l *limit) open(n *nfct) (err error) {
	l.memory, l.given, l.most, l.next = memoryFor("/"), n.hashMax > 0, min(n.hashMax, mostEntries), time.Time{}
	if l.place, err = netns.Stay(n.place.Path); err != nil {
		return err
	}
	l.look(n, time.Now())
	return nil
}

// look takes over the kernel's limit. A table that is fuller than a new limit keeps what it has.
func (l *limit) look(n *nfct, now time.Time) {
	if l.given || now.Before(l.next) {
		return
	}
	l.next = now.Add(limitEvery)
	kernel := defaultTable
	l.place.Do(func() {
		if most, err := readSysctl("nf_conntrack_max"); err == nil && most > 0 {
			kernel = most
		}
	})
	most, limited := fit(kernel, l.memory)
	if most == l.most {
		return
	}
	if l.most != 0 {
		n.env.Log.Info(
			"the kernel's limit on connections has changed",
			"remembered_at_most",
			most,
			"nf_conntrack_max",
			kernel,
		)
	}
	l.most = most
	if limited {
		n.env.Log.Warn(
			"the kernel may track more connections than memory has room for; those beyond are "+
				"reported without what only memory knows",
			"remembered_at_most",
			most,
			"nf_conntrack_max",
			kernel,
			"memory",
			l.memory,
			"remedy",
			"set hash_max_entries, lower net.netfilter.nf_conntrack_max, or give the daemon more memory",
		)
	}
	if n.table != nil {
		n.table.Most = most
	}
}

func (l *limit) close() {
	if l.place != nil {
		l.place.Close()
		l.place = nil
	}
}

// fit returns how many of the kernel's connections memory has room for, and whether that is less
// than all.
func fit(kernel int, memory uint64) (most int, limited bool) {
	room := min(memory/entryOctets, mostEntries)
	if uint64(kernel) <= room {
		return kernel, false
	}
	return int(max(room, 1)), true
}

// memoryFor returns the octets that the table may take: half of what the machine has, of what the
// daemon's control group may use (memory.max), of GOMEMLIMIT, and of what a process can address.
// root is where proc and sys are.
func memoryFor(root string) uint64 {
	all := uint64(1) << 30 // a 32-bit process has 2 GiB or more, not all in one piece
	if strconv.IntSize > 32 {
		all = math.MaxInt64
	}
	all = min(all, uint64(debug.SetMemoryLimit(-1)))
	meminfo, _ := os.ReadFile(path.Join(root, "proc/meminfo"))
	for line := range strings.Lines(string(meminfo)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "MemTotal:" {
			all = atMost(all, f[1], 1024)
		}
	}
	groups, _ := os.ReadFile(path.Join(root, "proc/self/cgroup"))
	for line := range strings.Lines(string(groups)) {
		// Hierarchy, controllers, path: version 2 has one hierarchy, and limits of the groups above
		// hold too.
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		dir, file := "sys/fs/cgroup", "memory.max"
		if f[1] != "" {
			dir, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
			if f[1] != "memory" {
				continue
			}
		}
		for group := path.Clean("/" + f[2]); ; group = path.Dir(group) {
			text, _ := os.ReadFile(path.Join(root, dir, group, file))
			all = atMost(all, strings.TrimSpace(string(text)), 1) // "max" is no number
			if group == "/" {
				break
			}
		}
	}
	return all / 2
}

func atMost(all uint64, text string, unit uint64) uint64 {
	if v, err := strconv.ParseUint(text, 10, 64); err == nil && v > 0 && v < math.MaxUint64/unit {
		return min(all, v*unit)
	}
	return all
}
