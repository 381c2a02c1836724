// What whoever has taken the daemon over could make root's own scripts do.

package service

import (
	"strings"
	"testing"

	"ulogd/test/systemdtest"
)

// The names of log files are moved as they are, whatever is in them: a line break is no other file.
func TestSetupMovesFilesOfAnyName(t *testing.T) {
	m := boots(t, logged)
	m.Install(packaging+"setup", "/usr/lib/ulogd/setup", 0o755)
	m.Run(`rm -rf /var/log/ulog /var/log/ulogd/*; mkdir /var/log/ulog /precious; cd /var/log/ulog
		touch 'a b.log' "$(printf 'x\nprecious')" "$(printf '\n--help')" .hidden ..twice ./-rf '*'
		ln -s /precious link; touch "$(printf 'there\033[1m')" "/var/log/ulogd/$(printf 'there\033[1m')"`)
	out := m.Run("cd /; /usr/lib/ulogd/setup 2>&1")
	m.Run(`test -d /precious; cd /var/log/ulogd
		for name in 'a b.log' "$(printf 'x\nprecious')" "$(printf '\n--help')" .hidden ..twice ./-rf '*'; do
			test -f "$name" || { echo "no $name"; ls -A; exit 1; }
		done
		test -L link && test -d /var/log/ulog`)
	if left := m.Run("ls -A /var/log/ulog | wc -l"); strings.TrimSpace(left) != "1" {
		t.Errorf("%s files are left", left)
	}
	if !strings.Contains(out, "/var/log/ulog/there?[1m stays: there is one of that name") || strings.Contains(out, "\033") {
		t.Errorf("it says %q", out)
	}
	m.Run(`rm /var/log/ulog/there*; /usr/lib/ulogd/setup; test -L /var/log/ulog`)
}

// Without systemd logrotate reads the process from a file that the daemon's user may write: only a ulogd gets a signal.
func TestLogrotateSignalsNobodyElse(t *testing.T) {
	m := boots(t, logged)
	m.Install(packaging+"ulogd.logrotate", "/etc/logrotate.d/ulogd", 0o644)
	signals := func(m *systemdtest.Machine, process string) bool {
		_, err := m.Try(`setsid -w unshare -m sh -c 'mount -t tmpfs none /run && mkdir /run/ulogd || exit 2
			date >/var/log/ulogd/x.log; chown ulog:adm /var/log/ulogd/x.log
			cp /bin/sleep /tmp/ulogd; "$1" 60 & echo $! >/run/ulogd/ulogd.pid
			logrotate -f /etc/logrotate.d/ulogd || exit 2
			test -s /var/log/ulogd/x.log && exit 2
			sleep 0.2; kill -0 $! 2>/dev/null || exit 1; kill $!' sh "$1"`, process)
		return err != nil && strings.Contains(err.Error(), "exit status 1")
	}
	if signals(m, "/bin/sleep") {
		t.Error("another program was ended by root's SIGHUP")
	}
	if !signals(m, "/tmp/ulogd") {
		t.Error("the daemon got no signal")
	}
	for _, all := range []string{"-1", "0", "self", "1 "} { // all processes, the group of the script, the script, the first
		if out, err := m.Try(`setsid -w unshare -m sh -c 'mount -t tmpfs none /run; mkdir /run/ulogd; echo "$1" >/run/ulogd/ulogd.pid
			date >/var/log/ulogd/x.log; chown ulog:adm /var/log/ulogd/x.log
			logrotate -f /etc/logrotate.d/ulogd; sleep 0.1; echo alive' sh "$1"`, all); err != nil || !strings.Contains(out, "alive") {
			t.Errorf("%q: %v, %s", all, err, out)
		}
	}
}
