package cmd_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/test/nstest"
)

// doctorConf is a configuration with one of everything that can be spoilt.
const doctorConf = `
stack = ["ct:NFCT,ipfix:IPFIX", "log:NFLOG,file:PRINT"]
[ct]
[log]
group = 7
[ipfix]
host = "%s"
[file]
file = "%s"
`

// healthy is a namespace in which that configuration works, with the configuration.
func healthy(t *testing.T) (ns *nstest.NS, path, out string) {
	t.Helper()
	nstest.Need(t, "nf_conntrack", "nflog", "tool:conntrack")
	ns = nstest.New(t)
	nstest.EnableConntrack(t, ns)
	ns.Do(t, func() { // the collector
		l, err := net.Listen("tcp", "127.0.0.1:4739")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
	})
	dir := t.TempDir()
	openForAll(t, dir)
	out = filepath.Join(dir, "out")
	path = filepath.Join(dir, "x.toml")
	write(t, path, fmt.Sprintf(doctorConf, "127.0.0.1", out))
	return ns, path, out
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// doctor runs ulogd doctor in a namespace.
func doctor(t *testing.T, ns *nstest.NS, path string) result {
	t.Helper()
	return finish(t, ns.Cmd(binary+" doctor -c "+path))
}

// finds checks that the doctor has exactly one finding, which says the texts.
func (r result) finds(texts ...string) {
	r.t.Helper()
	r.exits(1).says(texts...)
	if n := strings.Count(r.stdout, "mend it: "); n != 1 || !strings.HasSuffix(r.stdout, ": 1 finding\n") {
		r.t.Errorf("%d findings, want one:\n%s", n, r.stdout)
	}
}

func TestDoctorFindsNothingOnAHealthyMachine(t *testing.T) {
	ns, path, out := healthy(t)
	doctor(t, ns, path).exits(0).says(path + ": nothing found, 2 healthy stacks")
	for _, made := range []string{out} {
		if _, err := os.Stat(made); err == nil {
			t.Errorf("the doctor made %s", made)
		}
	}
	for line := range strings.Lines(ns.Run(t, "conntrack -L")) {
		if !strings.Contains(line, " dport=4739 ") { // to the collector, which it tries
			t.Errorf("the doctor left a connection behind: %s", line)
		}
	}
}

// The daemon itself, running with the same configuration, is no fault.
func TestDoctorWhileTheDaemonRuns(t *testing.T) {
	ns, path, _ := healthy(t)
	write(t, path, fmt.Sprintf("loglevel = 3\ncontrol = %q\n", filepath.Join(filepath.Dir(path), "control"))+read(t, path))
	p := ns.Start(t, binary+" -c "+path)
	p.WaitOutput("entering main loop", time.Minute)
	doctor(t, ns, path).exits(0)
}

func TestDoctorFindsSettingsThatAreOff(t *testing.T) {
	ns, path, _ := healthy(t)
	for name, why := range map[string]string{
		"nf_conntrack_acct":      "packets and octets",
		"nf_conntrack_timestamp": "start and end",
		"nf_conntrack_events":    "no event",
	} {
		ns.Sysctl(t, "net.netfilter."+name, "0")
		r := doctor(t, ns, path)
		r.finds("ct:NFCT: net.netfilter."+name+" is 0", why)
		mended(t, ns, r)
		doctor(t, ns, path).exits(0)
	}
}

// mended runs the command that the doctor proposes.
func mended(t *testing.T, ns *nstest.NS, r result) {
	t.Helper()
	_, command, _ := strings.Cut(r.stdout, "mend it: ")
	command, _, _ = strings.Cut(command, "\n")
	ns.Run(t, "sh -c", command)
}

func TestDoctorFindsThatNothingIsTracked(t *testing.T) {
	ns, path, _ := healthy(t)
	ns.Run(t, "nft flush ruleset")
	r := doctor(t, ns, path)
	r.finds("ct:NFCT: nothing is tracked: no rule asks for the state of connections")
	mended(t, ns, r)
	doctor(t, ns, path).exits(0)
}

// Privileges that are missing, and what follows from it: buffers are capped.
func TestDoctorFindsMissingPrivilegesAndCappedBuffers(t *testing.T) {
	ns, path, out := healthy(t)
	write(t, out, "")
	if err := os.Chmod(out, 0o666); err != nil {
		t.Fatal(err)
	}
	unprivileged := func() result {
		t.Helper()
		return finish(t, ns.Cmd("setpriv --reuid nobody --clear-groups --bounding-set -all "+binary+" doctor -c "+path))
	}
	limit, err := strconv.Atoi(strings.TrimSpace(read(t, "/proc/sys/net/core/rmem_max")))
	if err != nil {
		t.Fatal(err)
	}
	asked := strconv.Itoa(limit + 1<<20)
	base := read(t, path)
	write(t, path, strings.NewReplacer("[ct]\n", "[ct]\nnetlink_socket_buffer_size = "+asked+"\n",
		"[log]\n", "[log]\nnetlink_socket_buffer_size = 100000\n").Replace(base))
	doctor(t, ns, path).exits(0) // with CAP_NET_ADMIN there is no cap
	r := unprivileged().exits(1).says(
		"ct:NFCT: this process has no CAP_NET_ADMIN", "log:NFLOG: this process has no CAP_NET_ADMIN",
		fmt.Sprintf("ct:NFCT: the receive buffer is capped at %d octets by net.core.rmem_max; %s are asked for", limit, asked),
		"mend it: sysctl -w net.core.rmem_max="+asked)
	if n := strings.Count(r.stdout, "mend it: "); n != 3 {
		t.Errorf("%d findings, want three:\n%s", n, r.stdout)
	}
	write(t, path, strings.NewReplacer("[ct]\n", "[ct]\nnetlink_socket_buffer_size = 100000\n",
		"[log]\n", "[log]\nnetlink_socket_buffer_size = 100000\n").Replace(base))
	if r := unprivileged().exits(1); strings.Contains(r.stdout, "rmem_max") {
		t.Errorf("a small buffer is not capped:\n%s", r.stdout)
	}
}

func TestDoctorFindsAFullTable(t *testing.T) {
	if testing.Short() {
		t.Skip("some hundred thousand entries")
	}
	ns, path, _ := healthy(t)
	nstest.ConntrackMax(t, 1) // nobody changes it meanwhile
	most, err := strconv.Atoi(strings.TrimSpace(read(t, "/proc/sys/net/netfilter/nf_conntrack_max")))
	if err != nil {
		t.Fatal(err)
	}
	nstest.FillConntrack(t, ns, most/100*85)
	doctor(t, ns, path).exits(0)
	nstest.FillConntrack(t, ns, most/100*10)
	doctor(t, ns, path).finds(fmt.Sprintf("of at most %d connections are tracked", most), fmt.Sprintf("sysctl -w net.netfilter.nf_conntrack_max=%d", 2*most))
}

func TestDoctorFindsATakenGroup(t *testing.T) {
	ns, path, _ := healthy(t)
	other := file(t, "other.conf", `loglevel=3
stack=l:NFLOG,n:NULL
[l]
group=7
`)
	p := ns.Start(t, binary+" -c "+other)
	p.WaitOutput("entering main loop", time.Minute)
	doctor(t, ns, path).finds(fmt.Sprintf("log:NFLOG: group 7 is taken: process %d (ulogd) reads it", p.PID()), "group = 8")
}

// Collectors and peers over TCP are tried, with the settings that they will be reached by.
func TestDoctorFindsCollectorsThatTakeNoConnection(t *testing.T) {
	ns, path, out := healthy(t)
	for _, c := range []struct{ options, want string }{
		{"host = \"127.0.0.2\"", "127.0.0.2:4739 takes no connection: "},
		{"host = \"127.0.0.1\"\nbind_device = \"nowhere0\"", "bind_device nowhere0: no such device"},
	} {
		write(t, path, strings.Replace(fmt.Sprintf(doctorConf, "127.0.0.1", out), "host = \"127.0.0.1\"", c.options, 1))
		doctor(t, ns, path).finds("ipfix:IPFIX: 127.0.0.", c.want)
	}
	write(t, path, strings.Replace(fmt.Sprintf(doctorConf, "127.0.0.1", out), "host = \"127.0.0.1\"",
		"host = \"127.0.0.2\"\nproto = \"udp\"", 1))
	doctor(t, ns, path).exits(0)
	const peers = `stack = ["log:NFLOG,j:JSON"]
[log]
group = 7
[j]
mode = "tcp"
port = 4740
`
	write(t, path, peers)
	doctor(t, ns, path).finds("j:JSON: 127.0.0.1:4740 takes no connection: ", "start what listens on 127.0.0.1:4740")
}

// Rules that log to another group than the one that is read are found; where one logs to it, or none logs, nothing is.
func TestDoctorFindsRulesThatLogToAnotherGroup(t *testing.T) {
	ns, path, _ := healthy(t)
	ns.Nft(t, "table inet l { chain c { type filter hook input priority 0; log group 8; log group 3; }; }")
	doctor(t, ns, path).finds("log:NFLOG: group 7 is read, and nftables' rules log to 3 8",
		"group = 3 here, or log group 7")
	ns.Nft(t, "add rule inet l c log group 7")
	doctor(t, ns, path).exits(0)
}

// TestDoctorFindsJoinedPackets: the firewall logs what an interface has joined as one packet, which no flow can tell.
func TestDoctorFindsJoinedPackets(t *testing.T) {
	nstest.Need(t, "veth", "tool:ethtool")
	ns, path, out := healthy(t)
	nstest.Veth(t, ns, nstest.New(t), "joins", "", "other", "")
	write(t, path, fmt.Sprintf(`
stack = ["log:NFLOG,base:BASE,flow:FLOW,file:PRINT", "other:NFLOG,base:BASE,n:NULL"]
[log]
group = 7
[other]
group = 8
[file]
file = %q
`, out))
	ns.Run(t, "ethtool -K joins gro on")
	doctor(t, ns, path).finds("flow:FLOW: joins: packets may be joined (GRO) or not cut yet (TSO, GSO)",
		"ethtool -K joins gro off tso off gso off")
	ns.Run(t, "ethtool -K joins gro off tso off gso off")
	doctor(t, ns, path).exits(0)
}

func TestDoctorFindsAHostWithoutAnAddress(t *testing.T) {
	ns, path, out := healthy(t)
	write(t, path, fmt.Sprintf(doctorConf, "collector.invalid", out))
	doctor(t, ns, path).finds("ipfix:IPFIX: host collector.invalid does not resolve: ", "getent hosts collector.invalid")
}

func TestDoctorFindsDirectoriesThatAreNotWritable(t *testing.T) {
	ns, path, out := healthy(t)
	missing := filepath.Join(filepath.Dir(path), "missing")
	write(t, path, fmt.Sprintf(doctorConf, "127.0.0.1", missing+"/out"))
	r := doctor(t, ns, path)
	r.finds("file:PRINT: the directory "+missing+" does not exist", "mkdir -p "+missing)
	mended(t, ns, r)
	doctor(t, ns, path).exits(0)
	// Root may write anywhere but where the file system itself refuses.
	c := exec.Command("unshare", "-m", "sh", "-c", `mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && exec ip netns exec "$2" "$3" doctor -c "$4"`,
		"sh", missing, ns.Name(), binary, path)
	finish(t, c).finds("file:PRINT: the directory "+missing+" is not writable: read-only file system", "remount,rw")
	// Others may not write into root's directories.
	write(t, path, fmt.Sprintf(`stack = "g:GEN,file:PRINT"
[file]
file = %q
`, out))
	c = exec.Command("setpriv", "--reuid", "nobody", "--clear-groups", binary, "doctor", "-c", path)
	finish(t, c).finds("file:PRINT: the directory "+filepath.Dir(out)+" is not writable: permission denied", "chown 65534 "+filepath.Dir(out))
}

func TestDoctorFindsWhatTheDaemonItselfLacks(t *testing.T) {
	conf := file(t, "x.toml", `
stack = "g:GEN,n:NULL"
logfile = "/nowhere/log"
control = "/nowhere/control"
`)
	r := ulogd(t, "doctor", "-c", conf).exits(1).says("[global]: the directory /nowhere does not exist", "/nowhere/log", "/nowhere/control")
	if !strings.HasSuffix(r.stdout, ": 2 findings\n") {
		t.Errorf("want two findings:\n%s", r.stdout)
	}
	ulogd(t, "doctor", "-c", file(t, "x.conf", "stack=g:GEN,n:NUL\n")).exits(1).says(":1: stack: there is no output plugin NUL", "1 finding")
	ulogd(t, "doctor", "-c", "/nowhere").exits(1).says("/nowhere: cannot read the configuration")
}

// In another namespace than the daemon's own.
func TestDoctorLooksIntoTheNamespaceThatIsRead(t *testing.T) {
	ns, path, _ := healthy(t)
	text := strings.Replace(read(t, path), "[ct]\n", "[ct]\nnetwork_namespace_path = \""+ns.Path()+"\"\n", 1)
	text = strings.Replace(text, "[log]\n", "[log]\nnetwork_namespace_path = \""+ns.Path()+"\"\n", 1)
	text = strings.Replace(text, "[ipfix]\n", "[ipfix]\nproto = \"udp\"\n", 1) // the collector is not out here
	write(t, path, text)
	ulogd(t, "doctor", "-c", path).exits(0)
	ns.Sysctl(t, "net.netfilter.nf_conntrack_acct", "0")
	r := ulogd(t, "doctor", "-c", path)
	r.finds("nsenter --net=" + ns.Path() + " sysctl -w net.netfilter.nf_conntrack_acct=1")
	write(t, path, strings.ReplaceAll(text, ns.Path(), "/run/netns/none"))
	ulogd(t, "doctor", "-c", path).exits(1).says("network_namespace_path: ", "/run/netns/none: no such file or directory")
}

func TestDoctorFindsThatNothingIsCounted(t *testing.T) {
	nstest.Need(t, "root", "tool:nfacct", "tool:iptables")
	ns := nstest.New(t)
	conf := file(t, "x.conf", `stack=a:NFACCT,n:NULL
[a]
pollinterval=1
`)
	r := doctor(t, ns, conf)
	r.finds("a:NFACCT: the kernel has no counters here")
	mended(t, ns, r)
	doctor(t, ns, conf).exits(0)
	if list := ns.Run(t, "nfacct list"); !strings.Contains(list, "all") {
		t.Errorf("the command made no counter: %s", list)
	}
	elsewhere := file(t, "y.conf", `stack=a:NFACCT,n:NULL
[a]
pollinterval=1
network_namespace_path=`+ns.Path()+"\n")
	ulogd(t, "doctor", "-c", elsewhere).exits(0)
	ns.Run(t, "iptables -F")
	ns.Run(t, "nfacct flush")
	r = ulogd(t, "doctor", "-c", elsewhere)
	r.finds("nsenter --net=" + ns.Path())
	mended(t, ns, r)
	ulogd(t, "doctor", "-c", elsewhere).exits(0)
	ulogd(t, "doctor", "-c", file(t, "z.conf", `stack=a:NFACCT,n:NULL
[a]
pollinterval=1
network_namespace_path=/run/netns/none
`)).finds("network_namespace_path: ")
	openForAll(t, filepath.Dir(conf))
	finish(t, ns.Cmd("setpriv --reuid nobody --clear-groups --bounding-set -all "+binary+" doctor -c "+conf)).finds("a:NFACCT: this process has no CAP_NET_ADMIN")
}

func TestDoctorFindsThatAnInterfaceMayNotBeCaptured(t *testing.T) {
	nstest.Need(t, "root")
	ns := nstest.New(t)
	conf := file(t, "x.conf", `stack=c:PCAP,n:NULL
[c]
interface=lo
`)
	openForAll(t, filepath.Dir(conf))
	doctor(t, ns, conf).exits(0)
	finish(t, ns.Cmd("setpriv --reuid nobody --clear-groups --bounding-set -all "+binary+" doctor -c "+conf)).finds("c:PCAP: capture from lo: operation not permitted", "CAP_NET_RAW")
	doctor(t, ns, file(t, "y.conf", `stack=c:PCAP,n:NULL
[c]
interface=none0
`)).finds("c:PCAP: capture from none0: ", "ip link")
}

// Who writes captures into a FIFO waits for the daemon: doctor neither waits for a writer nor lets one begin.
func TestDoctorLeavesAFIFOToTheDaemon(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "packets")
	if err := unix.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	config := file(t, "x.toml", fmt.Sprintf("stack = \"c:PCAP,n:NULL\"\n[c]\nfile = %q\n", fifo))
	ulogd(t, "doctor", "-c", config).exits(0)
	begun := make(chan *os.File)
	go func() {
		w, _ := os.OpenFile(fifo, os.O_WRONLY, 0)
		begun <- w
	}()
	ulogd(t, "doctor", "-c", config).exits(0)
	select {
	case <-begun:
		t.Error("a writer has begun")
	default:
		r, err := os.Open(fifo)
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		if w := <-begun; w != nil {
			w.Close()
		}
	}
}

func TestDoctorLooksAtEveryPlugin(t *testing.T) {
	for text, want := range map[string]string{
		"stack=c:PCAP,n:NULL\n[c]\nfile=/nowhere/x.pcap\n":                                "c:PCAP: open capture file: stat /nowhere/x.pcap: no such file or directory",
		"stack=u:UNIXSOCK,n:NULL\n[u]\nsocket_path=/nowhere/s\n":                          "u:UNIXSOCK: the directory /nowhere does not exist",
		"stack=g:GEN,j:JSON\n[j]\nfile=/nowhere/s\n":                                      "j:JSON: the directory /nowhere does not exist",
		"stack=g:GEN,j:JSON\n[j]\nmode=unix\nfile=/nowhere/s\n":                           "j:JSON: socket: stat /nowhere/s: no such file or directory",
		"stack=g:GEN,j:JSON\n[j]\nmode=tcp\nhost=x.invalid\nport=1\n":                     "j:JSON: host x.invalid does not resolve",
		"stack=g:GEN,t:IP2STR,r:PRINTFLOW,s:SYSLOG\n[s]\ntransport=tcp\nhost=x.invalid\n": "s:SYSLOG: host x.invalid does not resolve",
		"stack=g:GEN,t:IP2STR,r:PRINTFLOW,e:LOGEMU\n[e]\nfile=/nowhere/s\n":               "e:LOGEMU: the directory /nowhere does not exist",
		"stack=g:GEN,v:NETFLOW5\n[v]\nhost=x.invalid\nport=2055\n":                        "v:NETFLOW5: host x.invalid does not resolve",
		"stack=g:GEN,p:PRINT\nstack=g:GEN,q:PRINT\n[p]\nfile=/no/s\n[q]\nfile=/no/s\n":    "p:PRINT, q:PRINT: the directory /no does not exist",
	} {
		ulogd(t, "doctor", "-c", file(t, "x.conf", text)).finds(want)
	}
}
