package human

import (
	"math"
	"net/netip"
	"testing"
	"time"
)

func TestUnits(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 999: "999 B", 1000: "0.98 KiB", 1024: "1.00 KiB", 1536: "1.50 KiB", 10 << 10: "10.0 KiB",
		100 << 10:  "100 KiB",
		1000 << 10: "0.98 MiB", 5 << 30: "5.00 GiB", math.MaxUint64: "16.0 EiB",
	} {
		if got := Octets(n); got != want {
			t.Errorf("%d octets: %q, want %q", n, got, want)
		}
	}
	for n, want := range map[uint64]string{
		0: "0", 99999: "99999", 100000: "100 k", 999_499: "999 k", 999_500: "1.00 M",
		1_234_567: "1.23 M", math.MaxUint64: "18.4 E",
	} {
		if got := Count(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	if got := Rate(2048); got != "2.00 KiB/s" {
		t.Error(got)
	}
	for d, want := range map[time.Duration]string{
		0: "0ms", 189 * time.Millisecond: "189ms", 2500 * time.Millisecond: "2.50s", 9996 * time.Millisecond: "9s",
		59 * time.Second:  "59s",
		200 * time.Second: "3m20s", 5*time.Hour + 4*time.Minute: "5h04m", 295 * time.Hour: "12d07h", -1: "0s",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestEndpoints(t *testing.T) {
	long := netip.MustParseAddr("2001:db8:1111:2222:3333:4444:5555:6666")
	for _, c := range []struct {
		a    netip.Addr
		port int
		want string
	}{
		{netip.MustParseAddr("192.0.2.1"), 80, "192.0.2.1:80"},
		{netip.MustParseAddr("192.0.2.1"), -1, "192.0.2.1"},
		{long, 443, "[2001:db8:1111:2222:3333:4444:5555:6666]:443"},
		{netip.Addr{}, 1, "-"},
	} {
		if got := Endpoint(c.a, c.port); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if got := Shorten(Endpoint(long, 443), 20); got != "[2001:db8…:6666]:443" {
		t.Errorf("%q", got)
	}
	if got := Shorten("short", 20); got != "short" {
		t.Errorf("%q", got)
	}
}
