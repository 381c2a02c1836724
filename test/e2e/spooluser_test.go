// The spool and the user of -u: what root makes is that user's, and a link of that user's leads
// root nowhere.

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// spoolConfig has records for a collector that is away.
func spoolConfig(t *testing.T, spool string) string {
	return write(t, "ulogd.toml", `
stack = "gen:GEN,out:IPFIX"
[global]
shutdown_timeout = 1
[gen]
count = 20000
[out]
host = "127.0.0.1"
buffer = "256KiB"
spool = "`+spool+`"
`)
}

// rootsDir returns a directory in which nobody but root can write, nor above it.
func rootsDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/run", "ulogd-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

const nobody = 65534 // "nobody" on every Linux

func TestSpoolOfTheUserOfU(t *testing.T) {
	nstest.Need(t, "root")
	ns := nstest.New(t)
	spool := filepath.Join(rootsDir(t), "spool")
	config := spoolConfig(t, spool)
	if err := os.Chmod(filepath.Dir(config), 0o755); err != nil {
		t.Fatal(err)
	}
	d := ns.Start(t, daemon+" -v -l 5 -u nobody -c "+config)
	if st := d.Wait(time.Minute); st.ExitCode() != 0 || strings.Contains(d.Output(), "spool_failed") {
		t.Errorf("exit code %d:\n%s", st.ExitCode(), d.Output())
	}
	segments := 0
	err := filepath.Walk(spool, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != nobody {
			t.Errorf("%s belongs to user %d", path, uid)
		}
		if strings.HasSuffix(path, ".spool") {
			segments++
		}
		return nil
	})
	if err != nil || segments == 0 {
		t.Errorf("%d segments: %v\n%s", segments, err, d.Output())
	}
}

func TestSpoolFollowsNoLinkOfTheUsers(t *testing.T) {
	nstest.Need(t, "root")
	for _, name := range []string{"lock", "127.0.0.1:4739/1000000000000000.spool"} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			ns := nstest.New(t)
			dir := rootsDir(t)
			victim, spool := filepath.Join(dir, "victim"), filepath.Join(dir, "spool")
			link := filepath.Join(spool, name)
			if err := os.WriteFile(victim, []byte("precious\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(filepath.Dir(link), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(victim, link); err != nil {
				t.Fatal(err)
			}
			for path := filepath.Dir(link); path != dir; path = filepath.Dir(path) {
				if err := os.Chown(path, nobody, nobody); err != nil {
					t.Fatal(err)
				}
			}
			d := ns.Start(t, daemon+" -v -u nobody -c "+spoolConfig(t, spool))
			if st := d.Wait(time.Minute); st.ExitCode() == 0 || !strings.Contains(d.Output(), "is a symbolic link") {
				t.Errorf("exit code %d:\n%s", st.ExitCode(), d.Output())
			}
			if b, _ := os.ReadFile(victim); string(b) != "precious\n" {
				t.Errorf("root's file became %q", b)
			}
			info, err := os.Stat(victim)
			if err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
				t.Errorf("root's file was given away: %v %v", info, err)
			}
		})
	}
}
