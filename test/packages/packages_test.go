//go:build packages

// Package packages installs what `make packages` makes on machines of their own, over ulogd2 and without it, with
// systemd running: configuration and logs survive whatever is installed and purged. It takes minutes to make the
// packages, and a Debian to install them in: make test-packages does both, and sets the tag.
package packages

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ulogd/test/nstest"
	"ulogd/test/systemdtest"
)

// boot boots a Debian that `make test-packages` has laid out, with the packages in /pkg.
func boot(t *testing.T) *systemdtest.Machine {
	t.Helper()
	dist, root := os.Getenv("ULOGD_PACKAGES"), os.Getenv("ULOGD_DEBIAN")
	if dist == "" || root == "" {
		t.Fatal("set ULOGD_PACKAGES and ULOGD_DEBIAN, as make test-packages does")
	}
	nstest.Need(t, "root", "nflog")
	m := systemdtest.Boot(t, root)
	for _, path := range []string{one(t, dist, "ulogd_*_amd64.deb"), one(t, dist, "ulogd-*.x86_64.rpm")} {
		m.Install(path, "/pkg/ulogd"+filepath.Ext(path), 0o644)
	}
	m.Run(`nft 'add table inet t; add chain inet t c { type filter hook output priority 0; };
		add rule inet t c udp dport 9 log prefix "hello " group 0'`)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(m.Said())
		}
	})
	return m
}

// one finds the only file of a pattern.
func one(t *testing.T, dir, pattern string) string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(list) != 1 {
		t.Fatalf("%s in %s: %q, %v", pattern, dir, list, err)
	}
	return list[0]
}

// logs sends a packet and waits until a log has a line of it more than before.
func logs(m *systemdtest.Machine, file string) {
	m.Helper()
	count := func() int {
		out, _ := m.Try(`grep -c 'hello .*DPT=9 ' "$1"`, file)
		n := 0
		fmt.Sscan(out, &n)
		return n
	}
	before := count()
	nstest.Eventually(m, time.Minute, func() error {
		m.Run(`bash -c 'exec 3>/dev/udp/127.0.0.1/9; echo hello >&3'`)
		if n := count(); n <= before {
			return fmt.Errorf("%s has %d lines, as before", file, n)
		}
		return nil
	})
}

// runs wants the daemon to run, and returns its process.
func runs(m *systemdtest.Machine) string {
	m.Helper()
	nstest.Eventually(m, time.Minute, func() error {
		if state := m.Property("ulogd", "ActiveState"); state != "active" {
			more := m.Run("systemctl status ulogd; ls -lR /etc/ulogd /var/log/ulogd || true")
			return fmt.Errorf("ulogd.service is %s\n%s", state, more)
		}
		return nil
	})
	if n := m.Property("ulogd", "NRestarts"); n != "0" {
		m.Errorf("it has failed %s times", n)
	}
	return m.Property("ulogd", "MainPID")
}

// holds wants shell tests to be true.
func holds(m *systemdtest.Machine, tests ...string) {
	m.Helper()
	for _, test := range tests {
		if out, err := m.Try(test); err != nil {
			m.Errorf("not so: %s\n%s", test, out)
		}
	}
}

const (
	oldLog = "/var/log/ulog/syslogemu.log"
	newLog = "/var/log/ulogd/syslogemu.log"
)

// kept is what neither package may take along.
var kept = []string{
	"grep -q '^stack=log1:NFLOG' /etc/ulogd/ulogd.conf",
	"grep -q 'file=\"" + newLog + "\"' /etc/ulogd/ulogd.conf",
	"grep -qxh 'billed once' /var/log/ulogd/billing.log*",
	"grep -q 'hello ' " + newLog,
}

// TestDebOverULOGD2 replaces a ulogd2 that logs, and purges it.
func TestDebOverULOGD2(t *testing.T) {
	m := boot(t)
	m.Run("dpkg -i /debs/ulogd2*.deb")
	m.Run("sed -i '/^#stack=.*SYSLOG/d' /etc/ulogd.conf; echo 'billed once' >/var/log/ulog/billing.log")
	m.Run("systemctl restart ulogd2")
	logs(m, oldLog)
	out := m.Run("dpkg -i /pkg/ulogd.deb 2>&1")
	if !strings.Contains(out, "copied /etc/ulogd.conf to /etc/ulogd/ulogd.conf") {
		t.Errorf("it says\n%s", out)
	}
	pid := runs(m)
	logs(m, newLog)
	holds(m, kept...)
	holds(m, "test -L /var/log/ulog", "test -e /etc/logrotate.d/ulogd2.dpkg-old", "! test -e /etc/logrotate.d/ulogd2",
		"! dpkg -s ulogd2 | grep -q 'ok installed'", "test $(stat -c %U:%G:%a /etc/ulogd/ulogd.conf) = root:ulog:640",
		"systemctl is-enabled ulogd", "logrotate -f /etc/logrotate.d/ulogd", "grep -q hello "+newLog+".1")
	logs(m, newLog)
	m.Run("dpkg --purge ulogd2-json ulogd2")
	holds(m, kept[:3]...)
	holds(m, "! test -e /etc/ulogd.conf")
	if now := runs(m); now != pid {
		t.Errorf("purging ulogd2 has made process %s of %s", now, pid)
	}
	logs(m, newLog)

	// What the owner changes stays through an upgrade.
	m.Run("echo '# mine' >>/etc/ulogd/ulogd.conf; echo '# mine' >>/etc/logrotate.d/ulogd")
	m.Run(`dpkg-deb -R /pkg/ulogd.deb /tmp/next && sed -i 's/^Version: .*/&+next/' /tmp/next/DEBIAN/control &&
		dpkg-deb -Znone -b /tmp/next /pkg/next.deb && dpkg -i --force-confdef --force-confold /pkg/next.deb`)
	if now := runs(m); now == pid {
		t.Error("the upgrade has left the old program running")
	}
	holds(m, kept[:3]...)
	holds(m, "grep -qx '# mine' /etc/ulogd/ulogd.conf", "grep -qx '# mine' /etc/logrotate.d/ulogd",
		"dpkg -s ulogd | grep -q +next")
	logs(m, newLog)

	m.Run("dpkg -r ulogd")
	holds(m, kept[:3]...)
	holds(m, "! systemctl is-active ulogd", "! test -e /usr/sbin/ulogd")
	m.Run("dpkg -i /pkg/ulogd.deb")
	runs(m)
	m.Run("dpkg --purge ulogd")
	holds(m, "! systemctl is-active ulogd", "! test -e /etc/ulogd", "! test -e /etc/logrotate.d/ulogd",
		"! test -e /var/lib/ulogd",
		"grep -qxh 'billed once' /var/log/ulogd/billing.log*", "! dpkg -s ulogd")
}

// TestDebAlone installs it where there was nothing, and does not start what has no configuration.
func TestDebAlone(t *testing.T) {
	m := boot(t)
	m.Run("dpkg -i /pkg/ulogd.deb")
	holds(m, "! systemctl is-active ulogd", "! systemctl is-failed ulogd", "systemctl is-enabled ulogd",
		"getent passwd ulog", "test -z \"$(ls /etc/ulogd)\"", "ulogd -V", "/usr/lib/ulogd/setup")
	m.Put("/etc/ulogd/ulogd.toml", `stack = "in:NFLOG,base:BASE,names:IFINDEX,text:IP2STR,line:PRINTPKT,out:LOGEMU"
[out]
file = "`+newLog+`"
sync = true
`)
	m.Run("systemctl start ulogd")
	runs(m)
	logs(m, newLog)
	m.Run("/usr/lib/ulogd/setup; systemctl reload ulogd; dpkg --purge ulogd")
	holds(m, "test -e /etc/ulogd/ulogd.toml", "test -s "+newLog) // which are the owner's
}

// TestRPM installs, upgrades and removes the .rpm, over a configuration of ulogd2's.
func TestRPM(t *testing.T) {
	m := boot(t)
	m.Put("/etc/ulogd.conf", `[global]
stack=log1:NFLOG,base1:BASE,ifi1:IFINDEX,ip2str1:IP2STR,print1:PRINTPKT,emu1:LOGEMU
[emu1]
file="`+oldLog+`"
sync=1
`)
	m.Run("mkdir /var/log/ulog; echo 'billed once' >/var/log/ulog/billing.log")
	rpm := func(args string) { m.Helper(); m.Run("rpm --nodeps " + args + " 2>&1") }
	rpm("-i /pkg/ulogd.rpm")
	holds(m, "systemctl is-enabled ulogd || systemctl enable ulogd", "test -s /usr/share/licenses/ulogd/LICENSE")
	m.Run("systemctl start ulogd")
	pid := runs(m)
	logs(m, newLog)
	holds(m, kept...)
	m.Run("echo '# mine' >>/etc/ulogd/ulogd.conf; echo '# mine' >>/etc/logrotate.d/ulogd")
	rpm("-U --replacepkgs /pkg/ulogd.rpm")
	if now := runs(m); now == pid {
		t.Error("the upgrade has left the old program running")
	}
	logs(m, newLog)
	holds(m, "grep -qx '# mine' /etc/ulogd/ulogd.conf", "grep -qx '# mine' /etc/logrotate.d/ulogd")
	rpm("-e ulogd")
	holds(m, kept...)
	holds(m, "! systemctl is-active ulogd", "! test -e /usr/sbin/ulogd", "! rpm -q ulogd")
}

// TestLintian has Debian's checker of packages find no error.
func TestLintian(t *testing.T) {
	dist := os.Getenv("ULOGD_PACKAGES")
	if dist == "" {
		t.Fatal("set ULOGD_PACKAGES, as make test-packages does")
	}
	nstest.Need(t, "tool:lintian")
	list, err := filepath.Glob(filepath.Join(dist, "*.deb"))
	if err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	for _, path := range list {
		out, err := exec.Command("lintian", "--fail-on", "error", "--allow-root", path).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
		t.Logf("%s", out)
	}
}
