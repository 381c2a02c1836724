// A firewall between exporter and collector that forgets connections.

package e2e

import (
	"fmt"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// TestForgottenConnection: what is exported over TCP goes on by another connection when the packets of the present one are
// dropped without a word, as by a firewall that was started anew; nothing is lost.
func TestForgottenConnection(t *testing.T) {
	nstest.Need(t, "root", "tool:nft")
	t.Parallel()
	ns := nstest.New(t)
	sink := startCollector(t, ns)
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
	port := d.WaitOutput(`is up.* local=127\.0\.0\.1:(\d+)`, 20*time.Second)[1]
	nstest.Eventually(t, 20*time.Second, func() error {
		if sink.records.Load() == 0 {
			return fmt.Errorf("nothing has come")
		}
		return nil
	})
	ns.Nft(t, `table ip forgets { chain in { type filter hook input priority 0; tcp sport `+port+` drop; tcp dport `+port+` drop; }; }`)
	d.WaitOutput("acknowledges nothing; another session is tried", 60*time.Second)
	if st := d.Wait(3 * time.Minute); st.ExitCode() != 0 {
		t.Errorf("exit code %d", st.ExitCode())
	}
	nstest.Eventually(t, 20*time.Second, func() error {
		if n := sink.records.Load(); n != 2*records { // one for each direction
			return fmt.Errorf("%d of %d records have come\n%s", n, 2*records, d.Output())
		}
		return nil
	})
}
