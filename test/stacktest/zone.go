// The time zone of a test.

package stacktest

import (
	"os"
	"testing"

	"ulogd/engine/zone"
)

// Zone makes a time zone, as TZ names it, the local one until the test ends.
func Zone(t testing.TB, tz string) {
	t.Helper()
	before, set := os.LookupEnv("TZ")
	os.Setenv("TZ", tz)
	t.Cleanup(func() {
		if set {
			os.Setenv("TZ", before)
		} else {
			os.Unsetenv("TZ")
		}
		zone.Reload()
	})
	if err := zone.Reload(); err != nil {
		t.Fatal(err)
	}
}
