// Package monitor_test has Debian's Prometheus scrape a daemon under load: every query of the
// dashboard finds something, and each alert fires for its planted fault.
package monitor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

var daemon nstest.Daemon

func TestMain(m *testing.M) { os.Exit(daemon.Main(m)) }

const packaging = "../../packaging/"

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAlertRules(t *testing.T) {
	nstest.Need(t, "tool:promtool")
	for _, args := range []string{"check rules ulogd.rules.yml", "test rules ulogd.rules.test.yml"} {
		c := exec.Command("promtool", strings.Fields(args)...)
		c.Dir = packaging
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", args, err, out)
		}
	}
}

// lab is a namespace with a daemon and a Prometheus.
type lab struct {
	t      *testing.T
	ns     *nstest.NS
	client http.Client
}

// ask runs a query and returns what Prometheus answers: the labels of each series.
func (l *lab) ask(query string) (series []map[string]string, err error) {
	a, err := l.client.Get("http://127.0.0.1:9090/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	var r struct {
		Status, Error string
		Data          struct {
			Result []struct{ Metric map[string]string }
		}
	}
	if err := json.NewDecoder(a.Body).Decode(&r); err != nil {
		return nil, err
	}
	if r.Status != "success" {
		return nil, fmt.Errorf("%s: %s", query, r.Error)
	}
	for _, s := range r.Data.Result {
		series = append(series, s.Metric)
	}
	return series, nil
}

// fires waits until an alert fires for an instance.
func (l *lab) fires(alert, id string) {
	l.t.Helper()
	nstest.Eventually(l.t, time.Minute, func() error {
		found, err := l.ask(fmt.Sprintf(`ALERTS{alertname=%q,id=%q,alertstate="firing"}`, alert, id))
		if err == nil && len(found) == 0 {
			all, _ := l.ask("ALERTS")
			err = fmt.Errorf("%s does not fire for %s; there are %v", alert, id, all)
		}
		return err
	})
}

const config = `
stack = [
	"ct1:NFCT,ok:IPFIX",
	"load:GEN,down:IPFIX",
	"load:GEN,spooled:IPFIX",
	"load:GEN,queued:JSON",
	"quiet:NFLOG,m:NULL",
	"gone:PCAP,m:NULL",
]
[global]
loglevel = 3
http = "127.0.0.1:9477"
http_token_file = "DIR/token"
control = "DIR/control"
[ct1]
netlink_socket_buffer_size = 65536
netlink_socket_buffer_maxsize = 65536
netlink_resync_timeout = 3600
[ok]
host = "127.0.0.1"
proto = "udp"
[load]
count = 0
rate = 5000
[down]
host = "127.0.0.1"
port = 4799
proto = "tcp"
buffer = 262144
[spooled]
host = "127.0.0.1"
port = 4798
proto = "tcp"
buffer = 262144
spool = "DIR/spool"
spool_max = 4194304
[queued]
file = "/dev/null"
[quiet]
group = 7
[gone]
interface = "gone0"
`

// TestPrometheus shortens the times of the rules, and nothing else of them.
func TestPrometheus(t *testing.T) {
	nstest.Need(t, "root", "nf_conntrack", "tool:prometheus")
	l := &lab{t: t, ns: nstest.New(t)}
	l.client.Timeout = 10 * time.Second
	l.client.Transport = &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(_ context.Context, network, address string) (c net.Conn, err error) {
			l.ns.Do(t, func() { c, err = net.Dial(network, address) })
			return c, err
		},
	}
	nstest.EnableConntrack(t, l.ns)
	l.ns.Do(t, func() {
		c, err := net.ListenPacket("udp", "127.0.0.1:4739")
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { c.Close() })
	})
	l.ns.Run(t, "ip link add gone0 type veth peer name gone1")
	l.ns.Run(t, "ip link set gone0 up")
	dir := t.TempDir()
	p := l.ns.Start(t, daemon.Path(t)+" -v -c "+write(t, dir, "ulogd.toml", strings.ReplaceAll(config, "DIR", dir)))
	p.WaitOutput("entering main loop", time.Minute)

	rules := strings.NewReplacer("for: 2m", "for: 2s", "for: 1m", "for: 1s", "> 900", "> 5", "[5m]",
		"[1m]").Replace(read(t, packaging+"ulogd.rules.yml"))
	write(t, dir, "rules.yml", rules)
	settings := write(t, dir, "prometheus.yml", `
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - job_name: ulogd
    static_configs: [{targets: ["127.0.0.1:9477"]}]
`)
	l.ns.Start(t, "prometheus --config.file="+settings+" --storage.tsdb.path="+dir+"/tsdb --web.listen-address=127.0.0.1:9090")
	nstest.Eventually(t, time.Minute, func() error {
		up, err := l.ask(`up == 1`)
		if err == nil && len(up) == 0 {
			err = fmt.Errorf("the daemon is not scraped")
		}
		return err
	})
	// A kernel overrun: events of more connections than the receive buffer holds, while nobody reads.
	nstest.Eventually(t, time.Minute, func() error { // a rate needs a value before
		found, err := l.ask(`count_over_time(ulogd_records_lost_total{id="ct1"}[1m]) > 3`)
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("nothing is counted yet")
		}
		return err
	})
	l.ns.Run(t, "ip link del gone0")
	p.Signal(syscall.SIGSTOP)
	nstest.FillConntrack(t, l.ns, 5000)
	l.ns.Run(t, "conntrack -F")
	p.Signal(syscall.SIGCONT)

	for alert, id := range map[string]string{
		"UlogdCollectorDown": "down", "UlogdRecordsDropped": "down", "UlogdKernelOverrun": "ct1",
		"UlogdSpoolFilling": "spooled", "UlogdInputSilent": "quiet", "UlogdInputDown": "gone",
	} {
		l.fires(alert, id)
	}
	for _, alert := range []string{"UlogdCollectorDown", "UlogdRecordsDropped", "UlogdSpoolFilling"} {
		if found, err := l.ask(fmt.Sprintf(`ALERTS{alertname=%q,id="ok"}`, alert)); err != nil || len(found) > 0 {
			t.Errorf("%s fires for the output that works: %v, %v", alert, found, err)
		}
	}
	if found, err := l.ask(`ALERTS{alertname="UlogdInputDown",id!="gone"} or ALERTS{alertname="UlogdInputSilent",id="load"}`); err != nil || len(found) > 0 {
		t.Errorf("there is no such fault: %v, %v", found, err)
	}
	l.dashboard()
}

// dashboard runs the query of each panel, as Grafana would write it out.
func (l *lab) dashboard() {
	l.t.Helper()
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(l.t, packaging+"ulogd-dashboard.json")), &d); err != nil {
		l.t.Fatal(err)
	}
	queries := 0
	variables := strings.NewReplacer("$job", ".*", "$instance", ".*", "$__rate_interval", "30s")
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			queries++
			q := variables.Replace(target.Expr)
			if m := regexp.MustCompile(`\$\w+`).FindString(q); m != "" {
				l.t.Errorf("%s: nothing stands for %s", p.Title, m)
			}
			found, err := l.ask(q)
			if err != nil || len(found) == 0 {
				l.t.Errorf("%s: %d series, %v: %s", p.Title, len(found), err, q)
			}
		}
	}
	if queries < 20 {
		l.t.Errorf("only %d queries", queries)
	}
}
