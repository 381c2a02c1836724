// Package zone knows the local time zone: what TZ, /etc/localtime or, on routers, /etc/TZ say.
//
// Package time takes a TZ that is a POSIX string, such as CET-1CEST,M3.5.0,M10.5.0/3, for UTC, does
// not know /etc/TZ, and looks once. What prints local times takes [Local] instead: it is read again
// at SIGHUP and every day.
package zone

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// readEvery is how often the zone is read again.
const readEvery = 24 * time.Hour

var (
	local atomic.Pointer[time.Location]
	read  atomic.Int64 // when that was, seconds since 1970
)

// Others than those who call Local get at least the zone of the start; nothing else runs yet.
func init() {
	_ = Reload()
	time.Local = local.Load()
}

// Local returns the local time zone as of now.
func Local() *time.Location {
	age := time.Now().Unix() - read.Load()
	if age >= int64(readEvery/time.Second) || age < 0 { // negative where the clock was set back
		_ = Reload()
	}
	return local.Load()
}

// Reload reads the time zone again. Where that fails the zone stays as it was; at the start it is
// UTC.
func Reload() error {
	read.Store(time.Now().Unix())
	tz, set := os.LookupEnv("TZ")
	l, err := find(tz, set, "/etc/localtime", "/etc/TZ")
	if err != nil {
		local.CompareAndSwap(nil, time.UTC)
		return err
	}
	local.Store(l)
	return nil
}

// find finds the zone as tzset(3) does.
func find(tz string, set bool, localtime, etcTZ string) (*time.Location, error) {
	if set {
		return Parse(tz)
	}
	data, err := os.ReadFile(localtime)
	if err == nil {
		return time.LoadLocationFromTZData("Local", data)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if text, err := os.ReadFile(etcTZ); err == nil {
		return Parse(strings.TrimSpace(string(text)))
	}
	return time.UTC, nil
}

// Parse returns the zone that a TZ names: a file, the name of a zone, or a POSIX string
// (POSIX.1-2017 section 8.3).
func Parse(tz string) (*time.Location, error) {
	name := strings.TrimPrefix(tz, ":")
	if name == "" {
		return time.UTC, nil
	}
	if strings.HasPrefix(name, "/") {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("TZ: %w", err)
		}
		return time.LoadLocationFromTZData("Local", data)
	}
	if l, err := time.LoadLocation(name); err == nil && name != "Local" {
		return l, nil
	}
	l, err := posix(name)
	if err != nil {
		return nil, fmt.Errorf("TZ %q is neither the name of a zone on this machine nor a POSIX time zone", tz)
	}
	return l, nil
}

// unknown is the abbreviation that shows where the rules were not understood.
const unknown = "-??"

// posix has package time read the rules: it knows them at the end of zone files (RFC 8536 section
// 3.3), so this makes such a file, with nothing in it but the rules.
func posix(rules string) (*time.Location, error) {
	if strings.ContainsAny(rules, "\n\x00") {
		return nil, errors.New("not a time zone")
	}
	block := func(dst []byte) []byte {
		dst = append(append(dst, "TZif2"...), make([]byte, 15)...)
		for _, count := range []uint32{0, 0, 0, 0, 1, uint32(len(unknown) + 1)} { // one type of local time, no transitions
			dst = binary.BigEndian.AppendUint32(dst, count)
		}
		dst = append(dst, 0, 0, 0, 0, 0, 0) // offset, daylight saving, abbreviation
		return append(append(dst, unknown...), 0)
	}
	data := append(append(append(block(block(nil)), '\n'), rules...), '\n')
	l, err := time.LoadLocationFromTZData("Local", data)
	if err != nil {
		return nil, err
	}
	if name, _ := time.Unix(0, 0).In(l).Zone(); name == unknown {
		return nil, errors.New("not a time zone")
	}
	return l, nil
}
