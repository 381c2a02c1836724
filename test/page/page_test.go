// Package page_test looks at the page in a real browser: a NAT gateway in namespaces, the daemon on
// it, and Chromium in front of its page.
package page_test

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"ulogd/test/nstest"
)

var daemon nstest.Daemon

func TestMain(m *testing.M) { os.Exit(daemon.Main(m)) }

// wanted skips what takes a browser, unless it is asked for, as make test does.
func wanted(t *testing.T) {
	t.Helper()
	if os.Getenv("ULOGD_PAGE") == "" {
		t.Skip("a browser takes its time: ULOGD_PAGE=1 asks for it, as make test does")
	}
	nstest.Need(t, "root", "nf_conntrack", "tool:chromium", "tool:nft")
}

const token = "a-token-for-the-browser"

// hostile is an id that would be a script if names were markup.
const hostile = "<script>document.title='broken'</script>"

// gateway is a router between a client and a server, with the daemon on it.
type gateway struct {
	client, router, server *nstest.NS
	p                      *nstest.Proc
	address                string // where the listener is reached from here
}

func newGateway(t *testing.T, stacks string) *gateway {
	t.Helper()
	g := &gateway{client: nstest.New(t), router: nstest.New(t), server: nstest.New(t)}
	nstest.EnableConntrack(t, g.router)
	g.router.Sysctl(t, "net.ipv4.ip_forward", "1")
	nstest.Veth(t, g.client, g.router, "lan0", "10.1.0.2/24", "lan", "10.1.0.1/24")
	nstest.Veth(t, g.router, g.server, "wan", "198.51.100.1/24", "wan0", "198.51.100.80/24")
	g.client.Run(t, "ip route add default via 10.1.0.1")
	for i := 3; i < 9; i++ {
		g.client.Run(t, fmt.Sprintf("ip addr add 10.1.0.%d/24 dev lan0", i))
	}
	g.router.Nft(t, `table ip nat { chain post { type nat hook postrouting priority 100; oifname "wan" masquerade; }; }`)
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/token", []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "gateway.toml")
	if err := os.WriteFile(config, []byte(stacks+`
[global]
loglevel = 3
http = "127.0.0.1:9477"
http_token_file `+
		"= \""+dir+"/token\"\ncontrol = \""+dir+"/control\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.p = g.router.Start(t, daemon.Path(t)+" -v -c "+config)
	g.p.WaitOutput("entering main loop", time.Minute)
	g.forward(t)
	return g
}

// forward lets a browser out here reach the listener in the router's namespace.
func (g *gateway) forward(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	g.address = l.Addr().String()
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			var out net.Conn
			g.router.Do(t, func() { out, err = net.Dial("tcp", "127.0.0.1:9477") })
			if err != nil {
				in.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
				go func() {
					io.Copy(way[0], way[1])
					way[0].Close()
				}()
			}
		}
	}()
}

// traffic has clients of the inner network exchange data with the server, over connections that
// stay, and goes on until the test ends.
func (g *gateway) traffic(t *testing.T, connections int) {
	t.Helper()
	ports := []string{"443", "80", "993", "8443"}
	for _, port := range ports {
		g.server.Serve(t, "198.51.100.80:"+port, func(c net.Conn) { go io.Copy(c, c) })
	}
	var all []net.Conn
	g.client.Do(t, func() {
		for i := range connections {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(10, 1, 0, byte(2+i%7))}, Timeout: 10 * time.Second}
			c, err := d.Dial("tcp", "198.51.100.80:"+ports[i*i%len(ports)])
			if err != nil {
				t.Error(err)
				return
			}
			all = append(all, c)
		}
	})
	var wg sync.WaitGroup
	stop := make(chan struct{})
	t.Cleanup(func() {
		close(stop)
		for _, c := range all {
			c.Close()
		}
		wg.Wait()
	})
	for i, c := range all {
		go io.Copy(io.Discard, c)
		wg.Go(func() {
			data := make([]byte, 64*(1+i%16))
			for {
				select {
				case <-stop:
					return
				case <-time.After(100 * time.Millisecond):
					if _, err := c.Write(data); err != nil {
						return
					}
				}
			}
		})
	}
}

// browser is Chromium with a profile of its own, and what its console said.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex
	errors []string
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	b := &browser{t: t}
	flag := chromedp.Flag
	profile, err := os.MkdirTemp("", "ulogd-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // its processes end one after the other, and write meanwhile
		nstest.Eventually(t, time.Minute, func() error { return os.RemoveAll(profile) })
	})
	options := []chromedp.ExecAllocatorOption{
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		flag("disable-quic", true), flag("disable-background-networking", true), flag("disable-component-update", true),
		flag("disable-sync", true), flag("hide-scrollbars", true), chromedp.UserDataDir(profile),
		chromedp.WindowSize(1280, 900),
		chromedp.WSURLReadTimeout(2 * time.Minute),
		// Not killed when the thread that started it ends: threads that were in a namespace do.
		chromedp.ModifyCmdFunc(func(*exec.Cmd) {}),
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b.ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	chromedp.ListenTarget(b.ctx, func(e any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := e.(type) {
		case *runtime.EventExceptionThrown:
			b.errors = append(b.errors, e.ExceptionDetails.Error())
		case *cdplog.EventEntryAdded:
			if e.Entry.Level == cdplog.LevelError {
				b.errors = append(b.errors, fmt.Sprint(e.Entry.Text, " ", e.Entry.URL))
			}
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.APITypeError {
				b.errors = append(b.errors, "console.error")
			}
		}
	})
	return b
}

func (b *browser) do(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatalf("%v; the console: %q", err, b.errors)
	}
}

// eval returns what an expression is in the page.
func eval[T any](b *browser, expression string) (v T) {
	b.t.Helper()
	b.do(chromedp.Evaluate(expression, &v))
	return v
}

// until waits for an expression to be true.
func (b *browser) until(what, expression string) {
	b.t.Helper()
	nstest.Eventually(b.t, time.Minute, func() error {
		var seen bool
		if err := chromedp.Run(b.ctx, chromedp.Evaluate("document.body !== null && ("+expression+")",
			&seen)); err != nil || !seen {
			var text string
			err2 := chromedp.Run(b.ctx, chromedp.Evaluate(`document.body ? document.body.innerText : ""`, &text))
			return fmt.Errorf("%s: not seen (%w); the page says %.600q", what, errors.Join(err, err2), text)
		}
		return nil
	})
}

// picture keeps a screenshot: where ULOGD_PICTURES says, or nowhere.
func (b *browser) picture(name string) {
	b.t.Helper()
	var png []byte
	b.do(chromedp.CaptureScreenshot(&png))
	if dir := os.Getenv("ULOGD_PICTURES"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
			b.t.Error(err)
		}
	}
}

// whole is a picture of all that can be scrolled to.
func (b *browser) whole(name string) {
	b.t.Helper()
	var png []byte
	b.do(chromedp.FullScreenshot(&png, 100))
	if dir := os.Getenv("ULOGD_PICTURES"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
			b.t.Error(err)
		}
	}
}

//go:embed checks.js
var checks string

// sound checks names, roles and contrast of all that is seen, in both themes. ULOGD_AXE may name a file of axe-core,
// which then looks too.
func (b *browser) sound(view string) {
	b.t.Helper()
	for _, theme := range []string{"light", "dark"} {
		faults := eval[[]string](b, fmt.Sprintf("document.documentElement.dataset.theme = %q; (%s)()", theme, checks))
		if path := os.Getenv("ULOGD_AXE"); path != "" {
			axe, err := os.ReadFile(path)
			if err != nil {
				b.t.Fatal(err)
			}
			var more []string
			b.do(chromedp.Evaluate(string(axe)+"; 0", nil), chromedp.Evaluate(axeRun, &more,
				func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
			faults = append(faults, more...)
		}
		for _, fault := range faults {
			b.t.Errorf("%s, %s: %s", view, theme, fault)
		}
	}
}

const axeRun = `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }).then((r) =>
	(r.passes.length < 10 ? ["axe has looked at nothing"] : []).concat(r.violations.map((v) => "axe " + v.id + " (" + v.impact + "): " + v.nodes.map((n) => n.html.slice(0, 80)).slice(0, 3).join(" | "))))`

// walk goes through a view by the keyboard, from its beginning: wherever Tab leads can be seen, and it leads to all that
// can be operated. Rows of the table of flows come after everything else, and are many.
func (b *browser) walk(view string) {
	b.t.Helper()
	defer func() { b.do(chromedp.Evaluate(`document.activeElement.blur(); scrollTo(0, 0)`, nil)) }()
	b.do(chromedp.Evaluate(`window.reached = new Set();
		window.step = () => {
			const e = document.activeElement, name = (e) => e.dataset.key || e.id || e.outerHTML.slice(0, 60), s = getComputedStyle(e);
			window.reached.add(name(e));
			const left = [...document.querySelectorAll("a[href], button, input, select, [tabindex='0']")].filter((e) => !e.disabled &&
				e.checkVisibility({ visibilityProperty: true }) && !e.closest(".grid tbody") && !window.reached.has(name(e)));
			return { unseen: s.outlineStyle === "none" || parseFloat(s.outlineWidth) < 2 ? e.outerHTML.slice(0, 80) : "",
				left: left.map((e) => e.outerHTML.slice(0, 80)) };
		}
		document.querySelector(".skip").focus()`, nil))
	type step struct {
		Unseen string
		Left   []string
	}
	var at step
	for range 200 {
		if at = eval[step](b, "window.step()"); at.Unseen != "" {
			b.t.Errorf("%s: it cannot be seen that the keyboard is at %s", view, at.Unseen)
		}
		if len(at.Left) == 0 {
			return
		}
		b.do(chromedp.KeyEvent("\t"))
	}
	b.t.Errorf("%s: the keyboard does not reach %d elements: %.3q", view, len(at.Left), at.Left)
}

// stays puts the keyboard on something, and has it there still when that was drawn anew.
func (b *browser) stays(what string) {
	b.t.Helper()
	b.do(chromedp.Evaluate(fmt.Sprintf(`window.first = document.querySelector(%q); window.first.focus(); 0`, what), nil))
	b.until("drawn anew", `!window.first.isConnected`)
	b.until("the keyboard stays where it is", `document.activeElement.dataset.key === window.first.dataset.key`)
}

func (b *browser) login(g *gateway) {
	b.t.Helper()
	b.do(chromedp.Navigate("http://"+g.address+"/"), chromedp.WaitVisible("#token"))
	b.sound("login")
	b.do(chromedp.SendKeys("#token", "wrong-wrong-wrong\r"))
	b.until("the refusal", `document.body.innerText.includes("That is not the token")`)
	b.mu.Lock()
	b.errors = nil // that the answer was 403 is an error to the console
	b.mu.Unlock()
	b.do(chromedp.SendKeys("#token", token+"\r"), chromedp.WaitVisible("#graph .node"))
}

const gatewayStacks = `stack = [
	"ct1:NFCT,ipfix1:IPFIX",
	"lan:PCAP,base1:BASE,flows1:FLOW,file1:JSON",
	"load1:GEN,away1:IPFIX",
	"load1:GEN,'ID':NULL",
]

[ipfix1]
host = "127.0.0.1"
port = 4739
proto = "udp"
[lan]
interface = "lan"
[file1]
file = "/dev/null"
[load1]
count = 0
rate = 5000
[away1]
host = "127.0.0.1"
port = 4799
proto = "tcp"
buffer = 262144
`

func TestPageOfAGateway(t *testing.T) {
	wanted(t)
	name := hostile
	if os.Getenv("ULOGD_PICTURES") != "" {
		name = "count1" // a picture is to show what people have
	}
	g := newGateway(t, strings.NewReplacer("'ID'", name).Replace(gatewayStacks))
	g.router.Do(t, func() { // a collector, so that IPFIX over UDP is not refused
		c, err := net.ListenPacket("udp", "127.0.0.1:4739")
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { c.Close() })
	})
	g.traffic(t, 60)
	b := newBrowser(t)
	b.login(g)

	// The graph: the planted drop is red, with its reason and the remedy; names are text.
	b.until("the planted drop", `[...document.querySelectorAll(".node.bad")].some((n) => n.innerText.includes("away1") && n.innerText.includes("loses"))`)
	b.until("the loss above the graph", `/away1: loses/.test(document.getElementById("losses").innerText)`)
	b.until("live", `document.getElementById("fresh").textContent === "live"`)
	b.until("rates", `[...document.querySelectorAll(".node")].some((n) => n.innerText.includes("load1") && !n.innerText.includes("\n0/s"))`)
	if bad := eval[[]string](b, `[...document.querySelectorAll(".node.bad")].map((n) => n.querySelector("b").textContent)`); len(bad) != 1 || bad[0] != "away1" {
		t.Errorf("red are %q, one drops", bad)
	}
	if title := eval[string](b, "document.title"); title != "ulogd: gateway.toml" {
		t.Errorf("the title: %q", title)
	}
	if n := eval[int](b, fmt.Sprintf(`[...document.querySelectorAll(".node b")].filter((e) => e.textContent === %q).length`, name)); n != 1 {
		t.Errorf("the id that looks like a script stands %d times as text", n)
	}
	b.do(chromedp.Evaluate(`[...document.querySelectorAll(".node")].find((n) => n.innerText.includes("away1")).click()`, nil))
	b.until("the reason and the remedy", `/dropped: buffer_full/.test(document.getElementById("detail").innerText) && /Remedy: .*spool/.test(document.getElementById("detail").innerText) && /connection refused/.test(document.getElementById("detail").innerText)`)
	b.until("curves", `document.querySelectorAll("#history path").length > 3 && [...document.querySelectorAll("#history path")].some((p) => p.getAttribute("d").includes("L"))`)
	b.sound("stacks")
	b.stays("#history svg")
	b.do(chromedp.KeyEvent("+"))
	b.until("the zoom by a key", `!document.getElementById("whole").hidden`)
	b.do(chromedp.KeyEvent("-"), chromedp.KeyEvent("-"), chromedp.KeyEvent("-"))
	b.until("the whole hour", `document.getElementById("whole").hidden`)
	b.walk("stacks")
	b.picture("page-stacks-dark")
	b.do(chromedp.Evaluate(`document.documentElement.dataset.theme = "light"; scrollTo(0, 0)`, nil))
	b.picture("page-stacks")
	b.do(chromedp.KeyEvent("\x1b"))
	b.until("Escape closes the details", `document.getElementById("detail").hidden`)

	// Live flows, who talks most, and a filter by a click.
	b.do(chromedp.KeyEvent("2"))
	b.until("flows", `document.querySelectorAll("#flows tbody tr").length > 10 && document.querySelectorAll("#sankey .ribbon").length > 3`)
	b.until("rates of flows", `[...document.querySelectorAll("#flows tbody td")].some((d) => /B\/s/.test(d.innerText) && !/^0 B/.test(d.innerText))`)
	b.until("translated addresses", `document.getElementById("flows").innerText.includes("as 198.51.100.1")`)
	b.sound("traffic")
	for _, what := range []string{"#flows tbody button", "#tops button[data-key]", "#sankey .ribbon"} {
		b.stays(what)
	}
	b.walk("traffic")
	b.picture("page-traffic-dark")
	b.do(chromedp.Evaluate(`document.documentElement.dataset.theme = "light"`, nil))
	b.picture("page-traffic")
	b.whole("page-flows")
	// Who sees the same packets twice is chosen; what came within a window is less than all.
	b.until("who sees them", `document.querySelectorAll("#tops [data-word='id=ct1'], #tops [data-word='id=flows1']").length === 2`)
	b.do(chromedp.Evaluate(`document.getElementById("window").value = "10s"; document.getElementById("window").dispatchEvent(new Event("change"))`, nil))
	b.until("a window", `/Bars: .* within \d+ s/.test(document.getElementById("survey").textContent) && document.querySelectorAll("#sankey .ribbon").length > 3`)
	b.sound("a window")
	b.do(chromedp.Evaluate(`document.getElementById("window").value = ""; document.getElementById("window").dispatchEvent(new Event("change"))`, nil))
	b.until("all of them", `!/Bars:/.test(document.getElementById("survey").textContent) && document.querySelector("#tops [data-word='src=10.1.0.3']") !== null`)
	b.do(chromedp.Evaluate(`document.querySelector("#tops [data-word='src=10.1.0.3']").click()`, nil))
	b.until("the filter", `document.getElementById("words").value === "src=10.1.0.3" && document.querySelectorAll("#tops .top:first-child button").length === 1`)
	b.do(chromedp.Evaluate(`document.getElementById("words").value = "nonsense"; document.getElementById("filter").requestSubmit()`, nil))
	b.until("what is wrong with a filter", `/nonsense/.test(document.getElementById("trouble").innerText)`)
	b.mu.Lock()
	b.errors = nil // that the answer was 400 is an error to the console
	b.mu.Unlock()
	b.do(chromedp.Click("#clear"))
	b.until("all again", `document.getElementById("trouble").hidden && document.querySelectorAll("#flows tbody tr").length > 10`)

	b.do(chromedp.Evaluate(`document.activeElement.blur()`, nil), chromedp.KeyEvent("3"))
	b.until("the log", `/entering main loop/.test(document.getElementById("log").innerText)`)
	b.until("doctor", `document.getElementById("doctor").innerText.length > 5`)
	b.sound("health")
	b.walk("health")
	b.picture("page-health")
	b.do(chromedp.KeyEvent("4"))
	b.until("manuals", `/netlink_socket_buffer_size/.test(document.getElementById("manual").innerText)`)
	b.sound("manuals")
	b.walk("manuals")

	// A telephone: nothing is wider than the screen, but what scrolls by itself.
	b.do(emulation.SetDeviceMetricsOverride(390, 844, 2, true))
	for _, view := range []string{"stacks", "traffic", "health", "manuals"} {
		b.do(chromedp.Evaluate("location.hash = "+strconv.Quote(view), nil))
		time.Sleep(500 * time.Millisecond)
		if w := eval[int](b, "document.documentElement.scrollWidth"); w > 390 {
			t.Errorf("%s is %d pixels wide on a telephone", view, w)
		}
		b.picture("phone-" + view)
	}
	b.do(emulation.ClearDeviceMetricsOverride())

	// What is old says so.
	b.do(chromedp.Evaluate(`location.hash = "stacks"`, nil))
	b.until("live", `document.getElementById("fresh").textContent === "live"`)
	g.p.Signal(syscall.SIGSTOP)
	b.until("that nothing comes", `/no news for/.test(document.getElementById("fresh").textContent)`)
	g.p.Signal(syscall.SIGCONT)
	b.until("live again", `document.getElementById("fresh").textContent === "live"`)

	if len(b.errors) > 0 {
		t.Errorf("the console: %q", b.errors)
	}
}

// TestViewerOfAHundredThousandFlows measures what one viewer costs the daemon. The page's looks at
// all flows are paced by what they cost; processor time is compared, not the clock.
func TestViewerOfAHundredThousandFlows(t *testing.T) {
	wanted(t)
	const flows = 100_000
	g := newGateway(t, `stack = "ct1:NFCT,n:NULL"
[ct1]
hash_max_entries = 200000
`)
	nstest.FillConntrack(t, g.router, flows)
	b := newBrowser(t)
	b.login(g)
	b.do(chromedp.Evaluate(`location.hash = "traffic"`, nil))
	b.until("all flows", `parseInt(document.getElementById("survey").textContent) === 100 && /k live/.test(document.getElementById("survey").textContent)`)
	b.do(chromedp.Evaluate(`window.worst = 0; let before = performance.now(); (function frame() { const now = performance.now(); window.worst = Math.max(window.worst, now - before); before = now; document.querySelector(".grid").scrollTop += 200; requestAnimationFrame(frame); })()`, nil))
	const look = 30 * time.Second
	watched := g.cpu(t, look)
	t.Logf("the longest frame while 1000 rows scroll: %.0f ms", eval[float64](b, "window.worst"))
	b.do(chromedp.Navigate("about:blank"))
	time.Sleep(2 * time.Second)
	alone := g.cpu(t, look)
	cost := 100 * (watched - alone).Seconds() / look.Seconds()
	t.Logf("%d live flows, %v: %v of processor time with one viewer, %v without: %.2f %% of a core", flows, look,
		watched, alone, cost)
	if cost > 4 { // 2 % is wanted; a machine that others load counts their cache misses, too
		t.Errorf("one viewer costs %.1f %% of a core", cost)
	}
}

// cpu returns the processor time that the daemon takes in a time.
func (g *gateway) cpu(t *testing.T, d time.Duration) time.Duration {
	t.Helper()
	before := ticks(t, g.p.PID())
	time.Sleep(d)
	return time.Duration(ticks(t, g.p.PID())-before) * 10 * time.Millisecond
}

// ticks are the hundredths of a second that a process has had (proc(5), utime and stime).
func ticks(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return user + system
}
