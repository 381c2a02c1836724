// Datagrams that cannot be sent, collectors that move or come back: what waits goes out, and can be
// decoded, when it is possible again.

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// mustLog fails unless the daemon's log has a line that matches, and returns it.
func mustLog(t *testing.T, log, expr string) {
	t.Helper()
	if !regexp.MustCompile(expr).MatchString(log) {
		t.Errorf("no line of the log matches %q:\n%s", expr, log)
	}
}

// TestForbiddenDatagramsWait: a firewall refuses the daemon's datagrams for two seconds, long
// enough for what is then a backlog; nothing is lost.
func TestForbiddenDatagramsWait(t *testing.T) {
	nstest.Need(t, "tool:nfcapd", "tool:nfdump", "tool:nft")
	const flows = 40000
	ns := nstest.New(t)
	collector := startNfcapd(t, ns)
	config := write(t, "ulogd.toml", `
stack = "file:PCAP,base:BASE,flow:FLOW,out:NETFLOW9"
[file]
file = "`+flowsFile(t, flows)+`"
[out]
host = "127.0.0.1:9995"
`)
	d := ns.Start(t, daemon+" -v -l 5 -c "+config)
	time.Sleep(500 * time.Millisecond)
	ns.Nft(t, "table ip deny { chain out { type filter hook output priority 0; udp dport 9995 drop; }; }")
	time.Sleep(2 * time.Second)
	ns.Nft(t, "delete table ip deny")
	if st := d.Wait(time.Minute); st.ExitCode() != 0 {
		t.Errorf("exit code %d", st.ExitCode())
	}
	if got, gaps := collector.flows(t, ns); got != flows || gaps != 0 {
		t.Errorf("nfcapd has %d of %d flows, and misses messages %d times\n%s", got, flows, gaps, d.Output())
	}
	mustLog(t, d.Output(), `nothing can be sent to collector 127\.0\.0\.1:9995 now.*operation not permitted`)
	mustLog(t, d.Output(), `sending to collector 127\.0\.0\.1:9995 works again`)
}

// TestCollectorThatComesBackDecodesAll: what is sent to a collector that was started again it can
// decode from the first record on.
func TestCollectorThatComesBackDecodesAll(t *testing.T) {
	nstest.Need(t, "tool:nfcapd", "tool:nfdump")
	for _, o := range datagramOutputs {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			ns := nstest.New(t)
			collector := startNfcapd(t, ns)
			config := write(t, "ulogd.toml", `
stack = "gen:GEN,out:`+o.name+`"
[gen]
rate = 1000
count = 1000000
[out]
host = "127.0.0.1:9995"
flush_interval = 0.1
`+o.options)
			d := ns.Start(t, daemon+" -v -l 5 -c "+config)
			time.Sleep(time.Second)
			if got, _ := collector.flows(t, ns); got == 0 {
				t.Error("nothing came before the collector ended")
			}
			d.WaitOutput(`collector 127\.0\.0\.1:9995 is away: its host refuses`, 10*time.Second)
			again := startNfcapd(t, ns)
			d.WaitOutput(`collector 127\.0\.0\.1:9995 is back`, 20*time.Second)
			d.Stop(syscall.SIGTERM)
			got, _ := again.flows(t, ns)
			if got < 1000 {
				t.Errorf("nfcapd has %d flows of more than two seconds", got)
			}
			if unknown := regexp.MustCompile(`(?i)no template|unknown template`).FindAllString(again.Output(), -1); len(unknown) > 0 {
				t.Errorf("nfcapd lacked a template %d times:\n%s", len(unknown), again.Output())
			}
		})
	}
}

// TestCollectorMoves: a name that leads to another address is followed.
func TestCollectorMoves(t *testing.T) {
	nstest.Need(t, "tool:nfcapd", "tool:nfdump")
	ns := nstest.New(t)
	etc := filepath.Join("/etc/netns", ns.Name()) // `ip netns exec` puts it over /etc
	if err := os.MkdirAll(etc, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(etc); os.Remove("/etc/netns") })
	lead := func(to string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(etc, "hosts"), []byte(to+" collector.test\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	lead("127.0.0.2")
	before, after := startNfcapdAt(t, ns, "127.0.0.2"), startNfcapdAt(t, ns, "127.0.0.3")
	config := write(t, "ulogd.toml", `
stack = "gen:GEN,out:NETFLOW9"
[gen]
rate = 1000
count = 1000000
[out]
host = "collector.test:9995"
resolve_interval = 1
flush_interval = 0.1
`)
	d := ns.Start(t, daemon+" -v -l 5 -c "+config)
	time.Sleep(time.Second)
	lead("127.0.0.3")
	d.WaitOutput(`collector collector\.test:9995 has another address.*127\.0\.0\.3`, 20*time.Second) // the library keeps the file for five seconds
	time.Sleep(time.Second)
	d.Stop(syscall.SIGTERM)
	if got, _ := before.flows(t, ns); got == 0 {
		t.Error("nothing came to the first address")
	}
	if got, _ := after.flows(t, ns); got == 0 {
		t.Error("nothing came to the second address")
	}
	if strings.Contains(after.Output(), "template") {
		t.Errorf("the collector lacked a template:\n%s", after.Output())
	}
}
