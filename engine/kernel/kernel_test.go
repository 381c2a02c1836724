// Releases as distributions and the kernel's own makers write them.
package kernel

import "testing"

func TestReleases(t *testing.T) {
	for _, c := range []struct {
		release      string
		major, minor int
		want         bool
	}{
		{"5.7.0", 5, 7, true},
		{"5.6.19-generic", 5, 7, false},
		{"4.19.0", 5, 7, false},
		{"6.1.0-13-amd64", 5, 7, true},
		{"5.10+", 5, 7, true},
		{"6.1.0-18-amd64", 6, 2, false},
		{"6.2.0", 6, 2, true},
		{"6.18.44-x", 6, 2, true},
		{"5.15.0", 6, 2, false},
		{"7.0-rc1", 6, 2, true},
		{"5", 5, 0, false},
		{"x.y", 0, 0, false},
		{"", 0, 0, false},
	} {
		if got := atLeast(c.release, c.major, c.minor); got != c.want {
			t.Errorf("%q is %d.%d or newer: %v", c.release, c.major, c.minor, got)
		}
	}
	if !AtLeast(2, 6) || AtLeast(1000, 0) {
		t.Error("the release of the kernel that runs here is not read")
	}
}
