// A firewall between exporter and collector that forgets connections.

package e2e

import (
	"fmt"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"ulogd/test/ipfixtest"
	"ulogd/test/nstest"
)

// forget has all packets of the daemon's session dropped.
func forget(t *testing.T, ns *nstest.NS, d *nstest.Proc) {
	t.Helper()
	port := d.WaitOutput(`is up.* local=127\.0\.0\.1:(\d+)`, time.Minute)[1]
	ns.Nft(t, `table ip forgets { chain in { type filter hook input priority 0; tcp sport `+port+` drop; tcp dport `+port+` drop; }; }`)
}

// TestUnacknowledgedAtTheEnd: what the collector has not acknowledged when the daemon ends is no record that went out.
func TestUnacknowledgedAtTheEnd(t *testing.T) {
	nstest.Need(t, "root", "tool:nft")
	t.Parallel()
	ns := nstest.New(t)
	sink := ipfixtest.Start(t, ns)
	d := ns.Start(t, daemon+" -v -l 3 -c "+write(t, "ulogd.toml", `
shutdown_timeout = 2
stack = "gen:GEN,ipfix:IPFIX"
[gen]
rate = 100
count = 1000000
[ipfix]
host = "127.0.0.1"
flush_interval = 0.1
`))
	nstest.Eventually(t, time.Minute, func() error {
		if sink.Records.Load() == 0 {
			return fmt.Errorf("nothing has come\n%s", d.Output())
		}
		return nil
	})
	forget(t, ns, d)
	time.Sleep(2 * time.Second)
	d.Stop(syscall.SIGTERM)
	summary := regexp.MustCompile(`id=ipfix plugin=IPFIX in=(\d+) made=(\d+) out=(\d+) dropped=(\d+) collector_away=`)
	m := summary.FindStringSubmatch(d.Output())
	if m == nil {
		t.Fatalf("nothing is counted as not taken:\n%s", d.Output())
	}
	var n [5]int64
	for i := range m[1:] {
		n[i], _ = strconv.ParseInt(m[1+i], 10, 64)
	}
	in, made, out, dropped := n[0], n[1], n[2], n[3]
	// A connection has a record for each direction.
	if came := sink.Records.Load(); in+made != out+dropped || came+dropped < 2*in || came >= 2*in {
		t.Errorf("%d records came of %d, %d are dropped:\n%s", came, 2*in, dropped, d.Output())
	}
}

// TestForgottenConnection: what is exported over TCP goes on by another connection when the packets of the present one
// are dropped without a word, as by a firewall that was started anew; nothing is lost.
func TestForgottenConnection(t *testing.T) {
	nstest.Need(t, "root", "tool:nft")
	t.Parallel()
	ns := nstest.New(t)
	sink := ipfixtest.Start(t, ns)
	const records = 1000
	d := ns.Start(t, daemon+" -v -l 3 -c "+write(t, "ulogd.toml", fmt.Sprintf(`
stack = "gen:GEN,ipfix:IPFIX"
[gen]
rate = 50
count = %d
[ipfix]
host = "127.0.0.1"
flush_interval = 0.1
reconnect_interval = 2
resend_window = 0
resend_time = 0
`, records)))
	nstest.Eventually(t, time.Minute, func() error {
		if sink.Records.Load() == 0 {
			return fmt.Errorf("nothing has come")
		}
		return nil
	})
	forget(t, ns, d)
	d.WaitOutput("acknowledges nothing; another session is tried", time.Minute)
	if st := d.Wait(3 * time.Minute); st.ExitCode() != 0 {
		t.Errorf("exit code %d", st.ExitCode())
	}
	nstest.Eventually(t, time.Minute, func() error {
		if n := sink.Records.Load(); n != 2*records { // one for each direction
			return fmt.Errorf("%d of %d records have come\n%s", n, 2*records, d.Output())
		}
		return nil
	})
}
