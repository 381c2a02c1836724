package zone

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// zones are names, files and POSIX strings as routers have them.
var zones = []string{
	"CET-1CEST,M3.5.0,M10.5.0/3", "<+0330>-3:30", "<-03>3", "EST5EDT,M3.2.0,M11.1.0", "GMT0BST,M3.5.0/1,M10.5.0",
	"AEST-10AEDT,M10.1.0,M4.1.0/3", "NZST-12NZDT,M9.5.0,M4.1.0/3", "IST-1GMT0,M10.5.0,M3.5.0/1", "<+0545>-5:45", "UTC0", "JST-9",
	"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "EET-2EEST,M3.5.0/3,M10.5.0/4", "IST-2IDT,M3.4.4/26,M10.5.0", "ABC-1:02:03", "NST3:30NDT,M3.2.0,M11.1.0",
	"XXX-1YYY,J60/2,J300/2", "XXX5YYY,59,300/23:59:59", "Europe/Berlin", ":Asia/Kolkata", "America/St_Johns", "/usr/share/zoneinfo/Australia/Lord_Howe",
}

// TestAsLibc compares each zone with what libc makes of it, at hours around the changes of a year
// and at other times.
func TestAsLibc(t *testing.T) {
	var instants []int64
	for at := time.Date(2026, 1, 1, 0, 30, 0, 0, time.UTC).Unix(); at < time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).Unix(); at += 3600 * 5 {
		instants = append(instants, at)
	}
	instants = append(instants, 0, 1_000_000_000, 2_000_000_000, 4_000_000_000)
	var input strings.Builder
	for _, at := range instants {
		fmt.Fprintf(&input, "@%d\n", at)
	}
	for _, tz := range zones {
		l, err := Parse(tz)
		if err != nil {
			t.Errorf("%s: %v", tz, err)
			continue
		}
		c := exec.Command("date", "-f", "-", "+%Y-%m-%dT%H:%M:%S %::z %Z")
		c.Env, c.Stdin = append(os.Environ(), "TZ="+tz, "LC_ALL=C"), strings.NewReader(input.String())
		out, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
		if len(lines) != len(instants) {
			t.Fatalf("%s: date answers %d lines", tz, len(lines))
		}
		for i, at := range instants {
			if got := time.Unix(at, 0).In(l).Format("2006-01-02T15:04:05 -07:00:00 MST"); got != string(lines[i]) {
				t.Errorf("%s: @%d is %s, libc says %s", tz, at, got, lines[i])
				break
			}
		}
	}
}

func TestNoZone(t *testing.T) {
	for _, tz := range []string{"Nowhere/Atall", "C-1", "CET-1CEST,M13.5.0,M10.5.0", "CET-1\nCEST", "<+03-3", "/no/such/file"} {
		if l, err := Parse(tz); err == nil {
			t.Errorf("%q is taken for %s", tz, time.Unix(0, 0).In(l).Format("-0700 MST"))
		}
	}
}

// TestFiles finds the zone where TZ is not set: the machine's, or on a router the string in
// /etc/TZ.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	localtime, etcTZ := filepath.Join(dir, "localtime"), filepath.Join(dir, "TZ")
	want := func(offset string) {
		t.Helper()
		l, err := find("", false, localtime, etcTZ)
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Unix(0, 0).In(l).Format("-0700"); got != offset {
			t.Errorf("the offset is %s, want %s", got, offset)
		}
	}
	want("+0000")
	if err := os.WriteFile(etcTZ, []byte("<+0330>-3:30\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want("+0330")
	if err := os.Symlink("/usr/share/zoneinfo/Asia/Tokyo", localtime); err != nil {
		t.Fatal(err)
	}
	want("+0900")
	os.Remove(localtime)
	if err := os.Symlink("/usr/share/zoneinfo/Asia/Kolkata", localtime); err != nil {
		t.Fatal(err)
	}
	want("+0530")
}

// TestReload changes TZ while the daemon runs.
func TestReload(t *testing.T) {
	defer Reload()
	for tz, want := range map[string]string{"JST-9": "+0900", "<-03>3": "-0300"} {
		t.Setenv("TZ", tz)
		if err := Reload(); err != nil {
			t.Fatal(err)
		}
		if got := time.Unix(0, 0).In(Local()).Format("-0700"); got != want {
			t.Errorf("%s: %s, want %s", tz, got, want)
		}
	}
	t.Setenv("TZ", "nonsense")
	if err := Reload(); err == nil || Local() == time.UTC {
		t.Errorf("after an error (%v) the zone is %s", err, Local())
	}
}

// TestDaily: a day after the zone was read, whoever writes a time reads it again; and when the clock was set back, so
// that a day would be long in coming.
func TestDaily(t *testing.T) {
	defer Reload()
	t.Setenv("TZ", "JST-9")
	if err := Reload(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TZ", "<-03>3")
	for _, c := range []struct {
		age  time.Duration
		want string
	}{{23 * time.Hour, "+0900"}, {24 * time.Hour, "-0300"}, {-time.Hour, "+0530"}} {
		if c.age < 0 {
			t.Setenv("TZ", "IST-5:30")
		}
		read.Store(time.Now().Add(-c.age).Unix())
		if got := time.Unix(0, 0).In(Local()).Format("-0700"); got != c.want {
			t.Errorf("after %v the offset is %s, want %s", c.age, got, c.want)
		}
	}
}

// FuzzParse reads any text.
func FuzzParse(f *testing.F) {
	for _, tz := range zones {
		f.Add(tz)
	}
	f.Fuzz(func(t *testing.T, tz string) {
		if strings.HasPrefix(strings.TrimPrefix(tz, ":"), "/") {
			return
		}
		if l, err := Parse(tz); err == nil {
			if at := time.Unix(1_800_000_000, 0); !at.In(l).Equal(at) {
				t.Errorf("%q makes another time of it", tz)
			}
		}
	})
}
