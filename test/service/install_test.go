// What `make install` puts where.

package service

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ulogd/test/nstest"
)

func TestInstall(t *testing.T) {
	nstest.Need(t, "native", "tool:make", "tool:systemd-tmpfiles", "tool:systemd-sysusers", "tool:logrotate")
	for prefix, systemd := range map[string]string{"/usr": "/usr/lib", "/usr/local": "/etc"} {
		dest := t.TempDir()
		c := exec.Command("make", "-C", "../..", "install", "DESTDIR="+dest, "PREFIX="+prefix)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for path, want := range map[string]string{
			prefix + "/share/man/man8/ulogd.8":                                     ".TH ULOGD 8",
			prefix + "/share/man/man5/ulogd.conf.5":                                ".TH ULOGD.CONF 5",
			prefix + "/share/bash-completion/completions/ulogd":                    "complete",
			prefix + "/share/zsh/site-functions/_ulogd":                            "#compdef ulogd",
			prefix + "/share/fish/vendor_completions.d/ulogd.fish":                 "complete -c ulogd",
			prefix + "/share/doc/ulogd/examples/ulogd.toml":                        "stack",
			systemd + "/systemd/system/ulogd.service":                              "ExecStart=" + prefix + "/sbin/ulogd\n",
			systemd + "/tmpfiles.d/ulogd.conf":                                     "/var/log/ulogd",
			systemd + "/sysusers.d/ulogd.conf":                                     "u ulog",
			"/etc/logrotate.d/ulogd":                                               "postrotate",
			prefix + "/share/doc/ulogd/examples/ulogd.service.d/live-capture.conf": "CAP_NET_RAW",
		} {
			if text, err := os.ReadFile(filepath.Join(dest, path)); err != nil || !strings.Contains(string(text), want) {
				t.Errorf("%s: %v, has no %q", path, err, want)
			}
		}
		// No configuration is active: that is for who installs it.
		if left, err := os.ReadDir(filepath.Join(dest, "/etc/ulogd")); err != nil || len(left) > 0 {
			t.Errorf("/etc/ulogd: %v, %v", left, err)
		}
		if out, err := exec.Command(filepath.Join(dest, prefix, "sbin/ulogd"), "-V").CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		for _, args := range [][]string{
			{"systemd-sysusers", "--root=" + dest, filepath.Join(dest, systemd, "sysusers.d/ulogd.conf")},
			{"systemd-tmpfiles", "--root=" + dest, "--create", filepath.Join(dest, systemd, "tmpfiles.d/ulogd.conf")},
		} {
			if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil || len(out) > 0 &&
				args[0] == "systemd-tmpfiles" {
				t.Errorf("%q: %v: %s", args, err, out)
			}
		}
		for _, dir := range []string{"/var/log/ulogd", "/var/spool/ulogd", "/var/lib/ulogd", "/run/ulogd"} {
			if fi, err := os.Stat(filepath.Join(dest, dir)); err != nil || !fi.IsDir() {
				t.Errorf("%s: %v", dir, err)
			}
		}
	}
}
