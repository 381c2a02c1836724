// Package service has the unit run by systemd itself, with all that it forbids.
package service

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

const (
	packaging = "../../packaging/"
	unit      = packaging + "ulogd.service"
)

var dropIns = []string{"live-capture.conf", "namespaces.conf"}

// program is the daemon as it is installed: its control socket is in /run.
var program string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "ulogd-service-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "ulogd")
		if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program,
			"ulogd/cmd/ulogd").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the daemon: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// said is where the daemon logs, in place of a journal.
const said = "/tmp/ulogd.log"

// boots boots a machine with the service and a configuration installed.
func boots(t *testing.T, config string, with ...string) *systemdtest.Machine {
	t.Helper()
	m := systemdtest.Boot(t, "/")
	m.Install(program, "/usr/sbin/ulogd", 0o755)
	m.Install(unit, "/etc/systemd/system/ulogd.service", 0o644)
	m.Install(packaging+"ulogd.tmpfiles", "/usr/lib/tmpfiles.d/ulogd.conf", 0o644)
	m.Install(packaging+"ulogd.sysusers", "/usr/lib/sysusers.d/ulogd.conf", 0o644)
	for _, d := range with {
		m.Install(packaging+"ulogd.service.d/"+d, "/etc/systemd/system/ulogd.service.d/"+d, 0o644)
	}
	m.Put("/etc/systemd/system/ulogd.service.d/said.conf", "[Service]\nStandardError=append:"+said+"\n")
	m.Put("/etc/ulogd/ulogd.toml", config)
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := m.Try("cat " + said)
			t.Logf("the daemon said:\n%s\nsystemd said:\n%s", log, m.Said())
		}
	})
	m.Run("systemd-sysusers; systemd-tmpfiles --create ulogd.conf; systemctl daemon-reload")
	return m
}

const logged = `stack = ["log:NFLOG,base:BASE,names:IFINDEX,text:IP2STR,line:PRINTPKT,file:LOGEMU", "ct:NFCT,flows:JSON"]
loglevel = 3
[log]
group = 7
[file]
file = "/var/log/ulogd/packets.log"
sync = true
[flows]
file = "/var/spool/ulogd/flows.json"
[ct]
event_mask = 1
hash_enable = false
`

const rules = `nft 'add table inet t; add chain inet t c { type filter hook output priority 0; };
add rule inet t c udp dport 9 ct state new log prefix "hello " group 7'`

// send makes a packet that is logged and a connection.
const send = `exec 3>/dev/udp/127.0.0.1/9; echo hello >&3`

func TestService(t *testing.T) {
	nstest.Need(t, "nflog", "nf_conntrack")
	m := boots(t, logged)
	m.Run(rules)
	m.Run("systemctl start ulogd")
	if got := m.Property("ulogd", "StatusText"); got != "running 2 stacks" {
		t.Errorf("the status is %q", got)
	}
	pid := m.Property("ulogd", "MainPID")
	status := m.Run(`cat /proc/$1/status`, pid)
	for _, want := range []string{
		"CapPrm:\t0000000000001000", "CapBnd:\t0000000000001000", "NoNewPrivs:\t1",
		"Seccomp:\t2",
	} {
		if !strings.Contains(status, "\n"+want+"\n") {
			t.Errorf("not %q:\n%s", want, status)
		}
	}
	m.Run("bash -c '" + send + "'")
	holds(m, "/var/log/ulogd/packets.log", "hello ")
	holds(m, "/var/spool/ulogd/flows.json", `"orig.l4.dport": 9`)

	// A reload, by systemd's hand; logrotate's signal; one that is refused, which systemctl says.
	m.Put("/etc/ulogd/ulogd.toml", strings.Replace(logged, `flows:JSON"]`, `flows:JSON", "ct:NFCT,void:NULL"]`, 1))
	m.Run("systemctl reload ulogd")
	if got := m.Property("ulogd", "StatusText"); got != "running 3 stacks" {
		t.Errorf("after the reload the status is %q", got)
	}
	m.Run("mv /var/log/ulogd/packets.log /var/log/ulogd/packets.log.1; systemctl kill --kill-who=main --signal=HUP ulogd")
	nstest.Eventually(t, time.Minute, func() error {
		_, err := m.Try("test -e /var/log/ulogd/packets.log")
		return err
	})
	m.Put("/etc/ulogd/ulogd.toml", "stack = \"a:NOTHING,b:NULL\"\n")
	if out, err := m.Try("systemctl reload ulogd"); err == nil {
		t.Errorf("a configuration with an error was loaded: %s", out)
	}
	if got := m.Property("ulogd", "MainPID"); got != pid || m.Property("ulogd", "ActiveState") != "active" {
		t.Errorf("process %s has become %s", pid, got)
	}
	m.Run("systemctl stop ulogd")
	if got := m.Property("ulogd", "Result"); got != "success" {
		t.Errorf("it ended with %s", got)
	}
}

// holds waits until a file of the machine has a text.
func holds(m *systemdtest.Machine, path, text string) {
	m.Helper()
	nstest.Eventually(m, time.Minute, func() error {
		got, err := m.Try(`cat "$1"`, path)
		if err == nil && !strings.Contains(got, text) {
			err = fmt.Errorf("%s has no %q: %s", path, text, got)
		}
		return err
	})
}

// A daemon that hangs as a whole is started again.
func TestServiceThatHangs(t *testing.T) {
	m := boots(t, `stack = "g:GEN,n:NULL"
[g]
count = 0
rate = 10
`)
	m.Put("/etc/systemd/system/ulogd.service.d/soon.conf", "[Service]\nWatchdogSec=2\nRestartSec=0\n")
	m.Run("systemctl daemon-reload; systemctl start ulogd")
	time.Sleep(4 * time.Second) // fed, it lives on
	if n := m.Property("ulogd", "NRestarts"); n != "0" {
		t.Fatalf("%s restarts of a daemon that is well", n)
	}
	m.Run("systemctl kill --kill-who=main --signal=STOP ulogd")
	nstest.Eventually(t, time.Minute, func() error {
		if n := m.Property("ulogd", "NRestarts"); n != "1" {
			return fmt.Errorf("%s restarts", n)
		}
		if s := m.Property("ulogd", "ActiveState"); s != "active" {
			return fmt.Errorf("it is %s", s)
		}
		return nil
	})
}

func TestServiceOfALiveCapture(t *testing.T) {
	const capture = `stack = "cap:PCAP,base:BASE,out:JSON"
[cap]
interface = "lo"
[out]
file = "/var/log/ulogd/packets.json"
`
	m := boots(t, capture)
	if out, err := m.Try("systemctl start ulogd"); err == nil {
		t.Errorf("without the drop-in a packet socket can be opened: %s", out)
	}
	m.Install(packaging+"ulogd.service.d/live-capture.conf", "/etc/systemd/system/ulogd.service.d/live-capture.conf",
		0o644)
	m.Run("systemctl daemon-reload; systemctl restart ulogd") // as the drop-in says: systemd may just be starting it once more
	m.Run("bash -c '" + send + "'")
	holds(m, "/var/log/ulogd/packets.json", `"dest_port": 9`)
}

func TestServiceWithAnotherNamespace(t *testing.T) {
	const elsewhere = `stack = "ct:NFCT,out:JSON"
[ct]
network_namespace_path = "/run/netns/other"
event_mask = 1
hash_enable = false
[out]
file = "/var/log/ulogd/flows.json"
`
	m := boots(t, elsewhere, "namespaces.conf")
	m.Run("ip netns add other; ip -n other link set lo up; ip netns exec other " + rules)
	m.Run("systemctl start ulogd")
	m.Run("ip netns exec other bash -c '" + send + "'")
	holds(m, "/var/log/ulogd/flows.json", `"orig.l4.dport": 9`)
}

func TestUnitIsGood(t *testing.T) {
	nstest.Need(t, "native", "tool:systemd-analyze", "tool:man")
	dir := t.TempDir()
	all, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "ulogd.service")
	text := strings.ReplaceAll(string(all), "/usr/sbin/ulogd", program) // which verify looks for
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for page, section := range map[string]string{
		"ulogd.8":      "man8",
		"ulogd.conf.5": "man5",
	} { // which verify looks for, too
		from, err := filepath.Abs("../../docs/man/" + page)
		if err != nil {
			t.Fatal(err)
		}
		os.MkdirAll(filepath.Join(dir, "man", section), 0o755)
		if err := os.Symlink(from, filepath.Join(dir, "man", section, page)); err != nil {
			t.Fatal(err)
		}
	}
	verify := func() {
		t.Helper()
		c := exec.Command("systemd-analyze", "verify", path)
		c.Env = append(os.Environ(), "MANPATH="+filepath.Join(dir, "man"))
		if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("systemd-analyze verify: %v\n%s", err, out)
		}
	}
	verify()
	// In tenths: an exposure of 2.5.
	if out, err := exec.Command("systemd-analyze", "security", "--offline=yes", "--threshold=25",
		path).CombinedOutput(); err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
	for _, d := range dropIns {
		from, err := filepath.Abs(packaging + "ulogd.service.d/" + d)
		if err != nil {
			t.Fatal(err)
		}
		os.MkdirAll(path+".d", 0o755)
		if err := os.Symlink(from, filepath.Join(path+".d", d)); err != nil {
			t.Fatal(err)
		}
	}
	verify()
}

// The doctor says what the unit refuses, which root's own doctor would not notice, and nothing once that is mended.
func TestDoctorKnowsTheUnit(t *testing.T) {
	nstest.Need(t, "nf_conntrack")
	m := boots(t, `stack = ["ct:NFCT,a:JSON", "ct:NFCT,b:GPRINT", "cap:PCAP,base:BASE,c:JSON"]
[cap]
interface = "lo"
[a]
file = "/srv/flows/a.json"
[b]
file = "/var/log/ulogd/flows.txt"
[c]
file = "/tmp/packets.json"
`)
	m.Run("sysctl -qw net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_timestamp=1 || true; install -d -o ulog -m 755 /srv/flows")
	refused := []string{
		"a:JSON: /srv/flows/a.json is out of reach for ulogd.service: ProtectSystem=strict", "ReadWritePaths=/srv/flows",
		"c:JSON: /tmp/packets.json is out of reach for ulogd.service: PrivateTmp=yes", "operation not permitted",
		"live-capture.conf",
	}
	out, err := m.Try("ulogd doctor")
	for _, want := range refused {
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("it does not say %q: %v\n%s", want, err, out)
		}
	}
	if strings.Contains(out, "/var/log/ulogd/flows.txt") {
		t.Errorf("it says of what is good\n%s", out)
	}
	m.Install(packaging+"ulogd.service.d/live-capture.conf", "/etc/systemd/system/ulogd.service.d/live-capture.conf", 0o644)
	m.Put("/etc/systemd/system/ulogd.service.d/mine.conf", "[Service]\nReadWritePaths=/srv/flows /tmp\nPrivateTmp=no\n")
	out, _ = m.Try("systemctl daemon-reload; ulogd doctor")
	for _, gone := range append(refused, "out of reach") {
		if strings.Contains(out, gone) {
			t.Errorf("it still says %q\n%s", gone, out)
		}
	}
	m.Run("systemctl start ulogd") // as the doctor says
}
