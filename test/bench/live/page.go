// docs/performance.md: what is between its markers is made here, the rest is written by hand.

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	page    = "docs/performance.md"
	images  = "docs/images"
	drawing = "test/bench/live/plot" // the module that draws
)

// replace puts text between the markers of a part of the page.
func replace(name, text string) error {
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	open, shut := "<!-- bench-live "+name+" -->\n", "<!-- /bench-live "+name+" -->"
	before, rest, ok := strings.Cut(string(old), open)
	_, after, ended := strings.Cut(rest, shut)
	if !ok || !ended {
		return fmt.Errorf("%s lacks the lines %sand %s", page, open, shut)
	}
	return os.WriteFile(page, []byte(before+open+text+shut+after), 0o644)
}

// writeScene writes a scene's part and plots. A sender that is asked for more than it can send may send less than it
// did at the step before.
func writeScene(s scene, curves []curve, seconds int) error {
	for _, c := range curves {
		slices.SortStableFunc(c.Points, func(a, b point) int { return cmp.Compare(a.Offered, b.Offered) })
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, steps of %d s:\n\n", dated(), seconds)
	fmt.Fprintf(&b, "![%s: loss, CPU time and latency by rate](images/live-%s.svg)\n\n", s.title, s.name)
	fmt.Fprintf(&b, "| %ss offered a second | program | lost | CPU time each | p50 | p99 |\n", s.unit)
	b.WriteString("|--:|---|--:|--:|--:|--:|\n")
	for i := range longest(curves) {
		for _, c := range curves {
			if i < len(c.Points) {
				p := c.Points[i]
				fmt.Fprintf(&b, "| %s | %s | %s | %.2f µs | %s | %s |\n", thousands(int(p.Offered)), c.Program,
					percent(p.lost(), p.Sent), p.Nanos/1e3, short(p.P50), short(p.P99))
			}
		}
	}
	if err := replace(s.name, b.String()); err != nil {
		return err
	}
	x := s.unit + "s offered a second"
	loss := panel{Title: "Lost", X: x, Y: "%", LogX: true}
	cost := panel{Title: "CPU time each", X: x, Y: "µs", LogX: true, LogY: true}
	delay := panel{Title: "Latency", X: x, Y: "ms; dashed: p99", LogX: true, LogY: true}
	for n, c := range curves {
		loss.line(c, n, false, func(p point) float64 { return 100 * p.share() })
		cost.line(c, n, false, func(p point) float64 { return p.Nanos / 1e3 })
		delay.line(c, n, false, func(p point) float64 { return millis(p.P50) })
		delay.line(c, n, true, func(p point) float64 { return millis(p.P99) })
	}
	return draw(figure{File: "live-" + s.name + ".svg", Panels: []panel{loss, cost, delay}})
}

// writeGrowth writes the part about living flows.
func writeGrowth(all []size) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:\n\n", dated())
	b.WriteString("![Cost, memory and latency by the number of living flows](images/live-growth.svg)\n\n")
	b.WriteString("| flows that live | CPU time a packet | memory | p50 | p99 |\n|--:|--:|--:|--:|--:|\n")
	cost := panel{Title: "CPU time a packet", X: "flows that live", Y: "ns", LogX: true, Lines: []line{{Name: "ulogd"}}}
	memory := panel{Title: "Memory", X: "flows that live", Y: "MiB", LogX: true, Lines: []line{{Name: "ulogd"}}}
	delay := panel{
		Title: "A flow's end to its record", X: "flows that live", Y: "ms", LogX: true,
		Lines: []line{{Name: "p50"}, {Name: "p99", Dashes: true}},
	}
	for _, s := range all {
		fmt.Fprintf(&b, "| %s | %.0f ns | %.0f MiB | %s | %s |\n", thousands(s.Flows), s.Nanos, mebi(s.Memory),
			short(s.P50), short(s.P99))
		for l, y := range map[*line]float64{
			&cost.Lines[0]: s.Nanos, &memory.Lines[0]: mebi(s.Memory),
			&delay.Lines[0]: millis(s.P50), &delay.Lines[1]: millis(s.P99),
		} {
			l.X, l.Y = append(l.X, float64(s.Flows)), append(l.Y, y)
		}
	}
	if err := replace(growthName, b.String()); err != nil {
		return err
	}
	return draw(figure{File: "live-growth.svg", Panels: []panel{cost, memory, delay}})
}

// figure, panel and line are what the module that draws takes.
type figure struct {
	File   string
	Panels []panel
}

type panel struct {
	Title, X, Y string
	LogX, LogY  bool
	Lines       []line
}

type line struct {
	Name   string
	X, Y   []float64
	Dashes bool
	Colour int
}

func (p *panel) line(c curve, colour int, dashes bool, value func(point) float64) {
	l := line{Dashes: dashes, Colour: colour}
	if !dashes {
		l.Name = c.Program
	}
	for _, pt := range c.Points {
		l.X, l.Y = append(l.X, pt.Offered), append(l.Y, value(pt))
	}
	p.Lines = append(p.Lines, l)
}

func draw(f figure) error {
	text, err := json.Marshal([]figure{f})
	if err != nil {
		return err
	}
	folder, err := os.Getwd()
	if err != nil {
		return err
	}
	c := exec.Command("go", "run", "-C", drawing, ".", folder+"/"+images)
	c.Stdin = bytes.NewReader(text)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("draw %s: %w\n%s", f.File, err, out)
	}
	return nil
}

// dated says when and on what machine.
func dated() string {
	model := "unknown processor"
	cpus, _ := os.ReadFile("/proc/cpuinfo")
	for l := range strings.Lines(string(cpus)) {
		if name, ok := strings.CutPrefix(l, "model name"); ok {
			model = strings.TrimSpace(strings.TrimLeft(name, "\t :"))
			break
		}
	}
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("Measured on %s, with %d processors (%s),\nLinux %s, %s", time.Now().UTC().Format(time.DateOnly),
		runtime.NumCPU(), model, strings.TrimSpace(string(release)), runtime.Version())
}

func longest(curves []curve) (n int) {
	for _, c := range curves {
		n = max(n, len(c.Points))
	}
	return n
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// percent writes a part so that little is not taken for nothing.
func percent(part, whole int) string {
	share := 100 * float64(part) / float64(whole)
	switch {
	case part == 0:
		return "0"
	case share < 0.01:
		return "< 0.01 %"
	}
	return fmt.Sprintf("%.2f %%", share)
}

// short writes a latency with three digits.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", millis(d))
	}
	return fmt.Sprintf("%.2f ms", millis(d))
}
