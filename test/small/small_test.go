// Package small runs the daemon that is built for small machines: what it has works, and what it goes without it
// refuses with the line that asks for it.
package small

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ulogd/test/nstest"
)

var daemon = nstest.Daemon{With: []string{"-tags", "small"}}

func TestMain(m *testing.M) { os.Exit(daemon.Main(m)) }

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// What a build for small machines goes without is named with its line, and what to do instead.
func TestWhatItLacks(t *testing.T) {
	const tls = "which goes without TLS and DTLS; take the full build, or send in the clear"
	flows, lines := "ct:NFCT,out:IPFIX", "log:NFLOG,base:BASE,print:PRINTPKT,out:SYSLOG"
	for _, c := range []struct{ text, want string }{
		{"stack = \"ct:NFCT,out:SQLITE3\"\n[out]\ndb = \"x\"\ntable = \"y\"", ":1: stack: SQLITE3: this is a build for small machines"},
		{"stack = \"" + flows + "\"\n[out]\nhost = \"192.0.2.1\"\nproto = \"tls\"", ":4: [out] proto: this is a build for small machines (-tags small), " + tls},
		{"stack = \"" + flows + "\"\n[out]\nhost = \"192.0.2.1\"\nproto = \"dtls\"", tls},
		{"stack = \"" + flows + "\"\n[out]\nfile = \"x.ipfix.gz\"", "compression (gzip); take the full build, or set compress = none"},
		{"stack = \"" + flows + "\"\n[out]\nfile = \"x\"\ncompress = \"zstd\"", ":4: [out] compress: this is a build for small machines"},
		{"stack = \"" + lines + "\"\n[out]\ntransport = \"tls\"\nhost = \"192.0.2.1\"", ":3: [out] transport: this is a build for small machines (-tags small), " + tls},
		{
			"stack = \"" + flows + "\"\nhttp = \"127.0.0.1:9477\"\nhttp_token_file = \"t\"\n[out]\nhost = \"192.0.2.1\"",
			":2: [global] http: this is a build for small machines (-tags small), which goes without the HTTP listener with " +
				"metrics and the page; take the full build, or ask the control socket",
		},
	} {
		out, err := exec.Command(daemon.Path(t), "-t", "-c", write(t, "ulogd.toml", c.text+"\n")).CombinedOutput()
		if err == nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%s\n%v: %s\nwant %s", c.text, err, out, c.want)
		}
	}
	packed := write(t, "x.pcap.zst", "\x28\xb5\x2f\xfd and more")
	for _, c := range []struct{ args, want string }{
		{"page", "goes without the HTTP listener"},
		{"-r " + packed, "goes without compression (zstd); take the full build, or decompress the file first"},
	} {
		out, err := exec.Command(daemon.Path(t), strings.Fields(c.args)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %v: %s\nwant %s", c.args, err, out, c.want)
		}
	}
}

// A router's stacks: the firewall's log into a file, every connection to a collector.
func TestRouter(t *testing.T) {
	nstest.Need(t, "root", "nflog", "nf_conntrack", "tool:conntrack")
	ns := nstest.New(t)
	nstest.EnableConntrack(t, ns)
	ns.Nft(t, `table inet logged { chain o { type filter hook output priority 0; udp dport 9 log group 5; }; }`)
	var collector, service *net.UDPConn
	ns.Do(t, func() {
		var err, err2 error
		collector, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		service, err2 = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9})
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
	})
	defer collector.Close()
	defer service.Close()
	dir := t.TempDir()
	socket := filepath.Join(dir, "control")
	config := write(t, "ulogd.conf", fmt.Sprintf(`[global]
control=%q
stack=log:NFLOG,base:BASE,names:IFINDEX,text:IP2STR,line:PRINTPKT,file:LOGEMU
stack=ct:NFCT,flows:IPFIX
[log]
group=5
[file]
file=%q
sync=1
[ct]
hash_enable=0
event_mask=4
[flows]
host="127.0.0.1"
port=%d
proto="udp"
`, socket, filepath.Join(dir, "packets"), collector.LocalAddr().(*net.UDPAddr).Port))
	p := ns.Start(t, daemon.Path(t)+" -v -l 3 -c "+config)
	p.WaitOutput("entering main loop", time.Minute)
	var port int
	ns.Do(t, func() {
		c, err := net.DialUDP("udp4", nil, service.LocalAddr().(*net.UDPAddr))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		port = c.LocalAddr().(*net.UDPAddr).Port
		c.Write([]byte("hello"))
	})
	nstest.Eventually(t, time.Minute, func() error {
		text, err := os.ReadFile(filepath.Join(dir, "packets"))
		if want := fmt.Sprintf("SPT=%d DPT=9 ", port); err == nil && !strings.Contains(string(text), want) {
			err = fmt.Errorf("no %s in %q", want, text)
		}
		return err
	})
	ns.Run(t, "conntrack -D -p udp --orig-port-dst 9")
	ports := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, uint16(port)), 9)
	collector.SetReadDeadline(time.Now().Add(20 * time.Second))
	for message := make([]byte, 64<<10); ; {
		n, err := collector.Read(message)
		if err != nil {
			t.Fatalf("no record of the connection came: %v\n%s", err, p.Output())
		}
		if n < 16 || binary.BigEndian.Uint16(message) != 10 || int(binary.BigEndian.Uint16(message[2:])) != n {
			t.Fatalf("what came is no IPFIX: %x", message[:n])
		}
		if bytes.Contains(message[:n], ports) {
			break
		}
	}
	if out := ns.Run(t, daemon.Path(t)+" stats --socket "+socket); !strings.Contains(out, "IPFIX") {
		t.Errorf("stats: %s", out)
	}
}
