// Package kernel says which Linux runs, for those who do without what an older one lacks.
package kernel

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// AtLeast reports whether the kernel's release is that one or newer.
func AtLeast(major, minor int) bool {
	var u unix.Utsname
	return unix.Uname(&u) == nil && atLeast(unix.ByteSliceToString(u.Release[:]), major, minor)
}

// atLeast compares a release such as 6.1.0-13-amd64 or 7.0-rc1.
func atLeast(release string, major, minor int) bool {
	first, rest, _ := strings.Cut(release, ".")
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	a, err := strconv.Atoi(first)
	b, err2 := strconv.Atoi(rest[:end])
	return err == nil && err2 == nil && (a > major || a == major && b >= minor)
}
