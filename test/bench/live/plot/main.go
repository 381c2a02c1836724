// Command plot draws figures as SVG files. It reads them as JSON from its standard input and writes
// each into the folder that it is given. It is a module of its own, and knows nothing of what it draws,
// so that the daemon's module needs no library for it.
package main

import (
	"encoding/json"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Figure is a file: panels side by side.
type Figure struct {
	File   string
	Panels []Panel
}

// Panel is axes and lines. An axis may be logarithmic.
type Panel struct {
	Title, X, Y string
	LogX, LogY  bool
	Lines       []Line
}

// Line is points, in the legend if it has a name.
type Line struct {
	Name   string
	X, Y   []float64
	Dashes bool
	Colour int // lines of one colour belong together
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: plot FOLDER <figures.json")
	}
	var figures []Figure
	if err := json.NewDecoder(os.Stdin).Decode(&figures); err != nil {
		return err
	}
	for _, f := range figures {
		if err := f.write(filepath.Join(args[0], f.File)); err != nil {
			return fmt.Errorf("%s: %w", f.File, err)
		}
	}
	return nil
}

const width, height = 9 * vg.Centimeter, 8 * vg.Centimeter // of a panel

func (f Figure) write(path string) error {
	canvas := vgsvg.New(width*vg.Length(len(f.Panels)), height)
	dc := draw.New(canvas)
	dc.SetColor(color.White)
	dc.Fill(dc.Rectangle.Path())
	const gap = 4 * vg.Millimeter
	tiles := draw.Tiles{Rows: 1, Cols: len(f.Panels), PadX: gap, PadRight: gap, PadTop: gap / 2}
	row := make([]*plot.Plot, len(f.Panels))
	for i, p := range f.Panels {
		var err error
		if row[i], err = p.plot(); err != nil {
			return err
		}
	}
	for i, c := range plot.Align([][]*plot.Plot{row}, tiles, dc)[0] {
		row[i].Draw(c)
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(out); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

func (p Panel) plot() (*plot.Plot, error) {
	result := plot.New()
	result.Title.Text, result.X.Label.Text, result.Y.Label.Text = p.Title, p.X, p.Y
	result.Legend.Top, result.Legend.Left = true, true
	result.Add(plotter.NewGrid())
	for _, l := range p.Lines {
		points := make(plotter.XYs, 0, len(l.X))
		for i := range l.X {
			if p.LogX && l.X[i] <= 0 || p.LogY && l.Y[i] <= 0 { // has no logarithm
				continue
			}
			points = append(points, plotter.XY{X: l.X[i], Y: l.Y[i]})
		}
		if len(points) == 0 {
			continue
		}
		line, marks, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, err
		}
		line.Color, marks.Color = plotutil.Color(l.Colour), plotutil.Color(l.Colour)
		marks.Shape = plotutil.Shape(l.Colour)
		if l.Dashes {
			line.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
		}
		result.Add(line, marks)
		if l.Name != "" {
			result.Legend.Add(l.Name, line, marks)
		}
	}
	axis(&result.X, p.LogX)
	axis(&result.Y, p.LogY)
	if !p.LogY {
		result.Y.Min = 0
		result.Y.Max = math.Max(1.25*result.Y.Max, 1) // room for the legend
	} else {
		result.Y.Max *= 10
	}
	return result, nil
}

// axis labels the powers of ten of a logarithmic one.
func axis(a *plot.Axis, logarithmic bool) {
	if !logarithmic {
		return
	}
	a.Scale = plot.LogScale{}
	a.Tick.Marker = plot.TickerFunc(func(min, max float64) (ticks []plot.Tick) {
		for power := math.Floor(math.Log10(min)); power <= math.Ceil(math.Log10(max)); power++ {
			for digit := 1.0; digit < 10; digit++ {
				label := ""
				if digit == 1 {
					label = number(math.Pow(10, power))
				}
				if v := digit * math.Pow(10, power); v >= min && v <= max {
					ticks = append(ticks, plot.Tick{Value: v, Label: label})
				}
			}
		}
		return ticks
	})
}

// number writes a power of ten.
func number(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%g M", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%g k", v/1e3)
	}
	return fmt.Sprintf("%g", v)
}
