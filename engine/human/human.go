// Package human writes values for people: numbers with units that fit into a column.
package human

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"ulogd/engine/key"
)

// Octets writes a number of octets with three digits and a unit, such as 1.23 KiB.
func Octets(n uint64) string {
	if n < 1000 {
		return strconv.FormatUint(n, 10) + " B"
	}
	return scaled(float64(n), 1024, [...]string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"})
}

// Rate writes octets per second.
func Rate(perSecond float64) string {
	if perSecond < 0 {
		perSecond = 0
	}
	return Octets(uint64(perSecond+0.5)) + "/s"
}

// Count writes a number of things: in full up to 99,999, then with three digits and a unit, such as 1.23 M.
func Count(n uint64) string {
	if n < 100_000 {
		return strconv.FormatUint(n, 10)
	}
	return scaled(float64(n), 1000, [...]string{"", "k", "M", "G", "T", "P", "E"})
}

func scaled(v, base float64, units [7]string) string {
	i := 0
	for ; v >= 999.5 && i < len(units)-1; i++ {
		v /= base
	}
	digits := 2
	switch {
	case v >= 99.95:
		digits = 0
	case v >= 9.995:
		digits = 1
	}
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', digits, 64)+" "+units[i], " ")
}

// Duration writes a time span in at most six characters, such as 189ms, 2.50s, 3m20s, 5h04m, 12d07h.
func Duration(d time.Duration) string {
	two := func(n time.Duration) string { return string([]byte{byte('0' + n/10), byte('0' + n%10)}) }
	switch {
	case d < 0:
		return "0s"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
	case d < 10*time.Second-5*time.Millisecond:
		return strconv.FormatFloat(d.Seconds(), 'f', 2, 64) + "s"
	case d < time.Minute:
		return strconv.FormatInt(int64(d/time.Second), 10) + "s"
	case d < time.Hour:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m" + two(d%time.Minute/time.Second) + "s"
	case d < 24*time.Hour:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h" + two(d%time.Hour/time.Minute) + "m"
	}
	return strconv.FormatInt(int64(d/(24*time.Hour)), 10) + "d" + two(d%(24*time.Hour)/time.Hour) + "h"
}

// Endpoint writes an address with its port, if that is not negative.
func Endpoint(a netip.Addr, port int) string {
	switch {
	case !a.IsValid():
		return "-"
	case port < 0:
		return a.String()
	}
	return netip.AddrPortFrom(a, uint16(port)).String()
}

// Shorten cuts the middle out of a text that is wider than a column, so that both ends stay.
func Shorten(s string, width int) string {
	if utf8.RuneCountInString(s) <= width || width < 3 {
		return s
	}
	r := []rune(s)
	back := width / 2
	return string(r[:width-1-back]) + "…" + string(r[len(r)-back:])
}

// EndReason says in a word why a flow has ended (flow.end.reason).
func EndReason(reason uint64) string {
	switch reason {
	case key.EndIdle:
		return "idle"
	case key.EndActive:
		return "goes on"
	case key.EndDetected:
		return "finished"
	case key.EndForced:
		return "forced"
	case key.EndResources:
		return "no room"
	}
	return strconv.FormatUint(reason, 10)
}
