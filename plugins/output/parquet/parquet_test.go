// Whole stacks into files, which DuckDB and the library read back.

package parquet_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"

	"ulogd/engine"
	_ "ulogd/plugins/input/gen"
	_ "ulogd/plugins/output/parquet"
	"ulogd/test/duck"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

var daemon nstest.Daemon

func TestMain(m *testing.M) { os.Exit(daemon.Main(m)) }

func setup(dir string) stacktest.Setup {
	return stacktest.Setup{
		Output: "PARQUET", Options: map[string]string{"directory": dir, "flush_interval": "10ms"},
		Shape: []stacktest.Record{
			{
				{Name: "oob.family", Value: "2"},
				{Name: "oob.prefix", Value: "in"},
				{Name: "raw.mac.saddr", Value: "020000000001"},
				{Name: "ip.saddr", Value: "10.0.0.1"},
				{Name: "ip.totlen", Value: "1500"},
				{Name: "oob.mark", Value: "4294967295"},
				{Name: "oob.time", Value: "1767225599999999999"}, // 2025-12-31 23:59:59.999999
			},
			{
				{Name: "oob.family", Value: "10"},
				{Name: "oob.prefix", Value: "\xff"},
				{Name: "ip.saddr", Value: "2001:db8::1"},
				{Name: "oob.time", Value: "1767225600000001000"},
			},
			{
				{Name: "oob.family", Value: "2"},
				{Name: "oob.prefix", Value: "a"},
				{Name: "ip.saddr", Value: "10.0.0.2"},
				{Name: "oob.time", Value: "1767225600000000000"},
			},
		},
	}
}

// files returns the paths below dir of files that are whole, and of those that are not.
func files(t *testing.T, dir string) (whole, unfinished []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if strings.HasSuffix(path, ".parquet") {
				whole = append(whole, path)
			} else {
				unfinished = append(unfinished, path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return whole, unfinished
}

// read returns the rows of a file as text.
func read(t *testing.T, path string) (rows []string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	file, err := pq.OpenFile(f, info.Size())
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	r := pq.NewReader(file)
	defer r.Close()
	buf := make([]pq.Row, 100)
	names := file.Schema().Columns()
	for {
		n, err := r.ReadRows(buf)
		for _, row := range buf[:n] {
			var text []string
			for i, v := range row {
				text = append(text, names[i][0]+"="+v.String())
			}
			rows = append(rows, strings.Join(text, " "))
		}
		if err == io.EOF {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Rows are in the folder of their hour, sorted by time, with the types that the manual says.
func TestFolders(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	setup(dir).Run(t)
	whole, unfinished := files(t, dir)
	if len(whole) != 2 || len(unfinished) != 0 {
		t.Fatalf("there are %q and %q", whole, unfinished)
	}
	for i, want := range []struct {
		folder string
		rows   []string
	}{
		{"dt=2025-12-31/hour=23", []string{"oob_family=2 oob_prefix=in raw_mac_saddr=\x02\x00\x00\x00\x00\x01 ip_saddr=10.0.0.1 " +
			"ip_totlen=1500 oob_mark=-1 oob_time=1767225599999999"}},
		{"dt=2026-01-01/hour=00", []string{
			"oob_family=2 oob_prefix=a raw_mac_saddr=<null> ip_saddr=10.0.0.2 ip_totlen=<null> oob_mark=<null> " +
				"oob_time=1767225600000000",
			"oob_family=10 oob_prefix=\ufffd raw_mac_saddr=<null> ip_saddr=2001:db8::1 ip_totlen=<null> oob_mark=<null> " +
				"oob_time=1767225600000001",
		}},
	} {
		if rel, _ := filepath.Rel(dir, filepath.Dir(whole[i])); rel != want.folder {
			t.Errorf("file %d is in %s, want %s", i, rel, want.folder)
		}
		if got := read(t, whole[i]); !slices.Equal(got, want.rows) {
			t.Errorf("%s has\n%s\nwant\n%s", want.folder, strings.Join(got, "\n"), strings.Join(want.rows, "\n"))
		}
	}
}

// SIGHUP ends files; what comes later goes into new ones, and is held until it is written.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	s := setup(dir)
	st := s.Start(t)
	st.Send(s.Shape[:1]...)
	st.Eventually("take", func() bool { return counter(st.Stats(), "batches") == 1 })
	if whole, _ := files(t, dir); len(whole) > 0 || st.Stats().Held != 1 || st.Stats().Out != 0 {
		t.Errorf("there is %q, %+v; want the row held", whole, st.Stats())
	}
	st.Machine.Signal(engine.Reopen)
	st.Send(s.Shape[:1]...) // the store connects again when there is something to send
	st.Eventually("end the file", func() bool { whole, _ := files(t, dir); return len(whole) == 1 })
	st.End()
	if whole, _ := files(t, dir); len(whole) != 2 {
		t.Errorf("there are %q, want two files", whole)
	}
}

// A file is ended by its age, also when no records come.
func TestAge(t *testing.T) {
	dir := t.TempDir()
	s := setup(dir)
	s.Options["rotate_seconds"] = "1"
	st := s.Start(t)
	st.Send(s.Shape[:1]...)
	st.Eventually("end the file", func() bool { whole, _ := files(t, dir); return len(whole) == 1 })
	if out := st.Stats().Out; out != 1 {
		t.Errorf("%d are counted as written, want 1", out)
	}
}

// DuckDB reads many row groups, folders and all types.
func TestDuckDB(t *testing.T) {
	db := duck.Build(t)
	dir := t.TempDir()
	stacktest.Run(t, fmt.Sprintf(`stack = "gen1:GEN,p1:PARQUET"
[gen1]
count = 100000
interval = "50ms"
[p1]
directory = %q
row_group = 10000
`, dir))
	table := "read_parquet('" + dir + "/**/*.parquet')"
	got := db.Query(t, "SELECT count(*) AS n, min(epoch_us(flow_end)) AS first, max(epoch_us(flow_end)) AS last, "+
		"count(DISTINCT hour) AS hours, count(*) FILTER (dt::VARCHAR || hour::VARCHAR <> "+
		"strftime(make_timestamp(epoch_us(flow_end)), '%Y-%m-%d%H')) AS elsewhere, count(DISTINCT orig_ip_saddr) AS "+
		"clients FROM "+table)
	want := `{"clients":2000,"elsewhere":0,"first":1704067200050000,"hours":2,"last":1704072200000000,"n":100000}`
	if len(got) != 1 || got[0] != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	got = db.Query(t, "SELECT DISTINCT typeof(flow_end) AS time, typeof(orig_l4_sport) AS port, "+
		"typeof(orig_raw_pktlen) AS octets, typeof(ct_mark) AS mark, typeof(orig_ip_saddr) AS addr, typeof(dt) AS dt "+
		"FROM "+table)
	want = `{"addr":"VARCHAR","dt":"DATE","mark":"UINTEGER","octets":"UBIGINT","port":"USMALLINT","time":"TIMESTAMP WITH TIME ZONE"}`
	if len(got) != 1 || got[0] != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	got = db.Query(t, "SELECT count(DISTINCT (file_name, row_group_id)) AS groups, count(DISTINCT path_in_schema) AS "+
		"columns, count(*) AS chunks, count(*) FILTER (stats_min_value IS NULL) AS plain, any_value(compression) AS c FROM parquet_metadata('"+dir+"/**/*.parquet')")
	if want := `{"c":"ZSTD","chunks":242,"columns":22,"groups":11,"plain":0}`; got[0] != want {
		t.Errorf("got  %s\nwant %s", got[0], want)
	}
}

// What a killed daemon had in the file is there after the next run.
func TestKilled(t *testing.T) {
	nstest.Need(t, "native")
	dir := t.TempDir()
	conf := filepath.Join(dir, "c.toml")
	run := func(count int) *exec.Cmd {
		text := fmt.Sprintf(`stack = "gen1:GEN,p1:PARQUET"
[gen1]
count = %d
rate = 300000
[p1]
directory = %q
row_group = 10000
`, count, dir)
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c := exec.Command(daemon.Path(t), "-c", conf)
		c.Stderr = t.Output()
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	parquets := func() (list []string) {
		list, _ = files(t, dir)
		return list
	}
	for round := range 3 {
		c := run(0)
		nstest.Eventually(t, time.Minute, func() error {
			_, left := files(t, dir)
			for _, path := range left {
				if info, err := os.Stat(path); err == nil && strings.HasSuffix(path, ".unfinished") && info.Size() > 600<<10 {
					return nil
				}
			}
			return errors.New("there are not enough row groups yet")
		})
		c.Process.Kill()
		c.Wait()
		if n := len(parquets()); n != 2*round {
			t.Errorf("there are %d files, want %d", n, 2*round)
		}
		if err := run(1).Wait(); err != nil {
			t.Fatal(err)
		}
		list := parquets()
		if len(list) != 2*round+2 {
			t.Fatalf("there are %q, want one file more and the run's own", list)
		}
	}
	saved := 0
	for _, path := range parquets() {
		n := len(read(t, path))
		if n != 1 && (n%10000 != 0 || n < 20000) {
			t.Errorf("%s has %d rows, want whole row groups", path, n)
		}
		if n > 1 {
			saved++
		}
	}
	if saved != 3 {
		t.Errorf("%d files were saved, want 3", saved)
	}
	if _, left := files(t, dir); len(left) != 1 {
		t.Errorf("%q are left", left)
	}
}

// While the disk is full rows wait; once there is room every one of them is in a file, once.
func TestFullDisk(t *testing.T) {
	nstest.Need(t, "root", "native")
	dir := t.TempDir()
	disk, conf, logs := filepath.Join(dir, "disk"), filepath.Join(dir, "c.toml"), filepath.Join(dir, "log")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`[global]
logfile = %q
stack = "gen1:GEN,p1:PARQUET"
[gen1]
count = 100000
[p1]
directory = "%s/flows"
`+
		"row_group = 10000\nbuffer = \"2MiB\"\nreconnect = \"100ms\"\n", logs, disk)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("unshare", "-m", "sh", "-c", fmt.Sprintf("mount -t tmpfs -o size=12m none %s && head -c 11m "+
		"/dev/zero >%s/ballast && %s -c %s && cp -r %s/flows %s/out", disk, disk, daemon.Path(t), conf, disk, dir))
	c.Stderr, c.Stdout = t.Output(), t.Output()
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	nstest.Eventually(t, time.Minute, func() error {
		log, _ := os.ReadFile(logs)
		if !strings.Contains(string(log), "no space left on device") {
			return errors.New("the disk is not full yet")
		}
		return nil
	})
	if err := os.Truncate(fmt.Sprintf("/proc/%d/root%s/ballast", c.Process.Pid, disk), 0); err != nil {
		t.Error(err)
	}
	stuck := time.AfterFunc(2*time.Minute, func() { syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
	defer stuck.Stop()
	if err := c.Wait(); err != nil {
		log, _ := os.ReadFile(logs)
		t.Fatalf("%v\n%s", err, log)
	}
	seen := map[string]bool{}
	n := 0
	whole, _ := files(t, dir+"/out")
	for _, path := range whole {
		for _, row := range read(t, path) {
			seen[row] = true
			n++
		}
	}
	if n != 100000 || len(seen) != n {
		t.Errorf("%d rows are there, %d of them different; want 100000", n, len(seen))
	}
}

func TestRefusals(t *testing.T) {
	for option, want := range map[string]string{
		"rotate_size=1": "rotate_size: must be at least 1MiB", "rotate_seconds=0": "rotate_seconds: must be at least 1",
		"directory=": "directory: must not be empty", "keys=ip.sadr": "ip.saddr",
	} {
		s := setup(t.TempDir())
		name, value, _ := strings.Cut(option, "=")
		s.Options[name] = value
		if got := s.Refusal(t); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", option, got, want)
		}
	}
}

func counter(s engine.Snapshot, name string) int64 {
	for _, r := range s.Counters {
		if r.Name == name {
			return r.Value
		}
	}
	return -1
}
