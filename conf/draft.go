// Both grammars put what they read into the model through a draft, which holds the rules that they share: the
// first of two equal options wins, stacks belong to [global], a file without a stack is of no use.

package conf

import "fmt"

const globalName = "global"

// A draft is the File under construction.
type draft struct {
	report
	file    *File
	index   map[string]int    // section name -> index in file.Sections
	options map[[2]string]Pos // section and option name -> where it was first set
	stacks  bool              // a stack was written, right or wrong
	unread  bool              // reading stopped at an error, so what is missing may stand behind it
}

func newDraft(path string, g Grammar) *draft {
	return &draft{
		file:    &File{Path: path, Grammar: g, Global: Section{Name: globalName, Pos: Pos{File: path}}},
		index:   map[string]int{},
		options: map[[2]string]Pos{},
	}
}

func (d *draft) at(line int) Pos { return Pos{File: d.file.Path, Line: line} }

// section returns the section of that name, made at its first mention. The pointer holds until the next call.
func (d *draft) section(name string, pos Pos) *Section {
	if name == globalName {
		if d.file.Global.Pos.Line == 0 {
			d.file.Global.Pos = pos
		}
		return &d.file.Global
	}
	i, ok := d.index[name]
	if !ok {
		i = len(d.file.Sections)
		d.index[name] = i
		d.file.Sections = append(d.file.Sections, Section{Name: name, Pos: pos})
	}
	return &d.file.Sections[i]
}

// option adds an option to a section unless it has one of that name.
func (d *draft) option(section *Section, o Option) {
	id := [2]string{section.Name, o.Name}
	if first, ok := d.options[id]; ok {
		d.warn(o.Pos, section.Name, o.Name, fmt.Sprintf("is set twice; the value of line %d is kept", first.Line))
		return
	}
	d.options[id] = o.Pos
	section.Options = append(section.Options, o)
}

// stack adds a stack unless something is wrong with it.
func (d *draft) stack(text string, pos Pos) {
	d.stacks = true
	if s, ok := parseStack(text, pos, &d.report); ok {
		d.file.Stacks = append(d.file.Stacks, s)
	}
}

func (d *draft) fail(pos Pos, section, option, text string) {
	d.add(Problem{Pos: pos, Section: section, Option: option, Text: text})
}

func (d *draft) warn(pos Pos, section, option, text string) {
	d.add(Problem{Pos: pos, Section: section, Option: option, Text: text, Warning: true})
}

// stop reports the error behind which nothing was read.
func (d *draft) stop(pos Pos, text string) {
	d.unread = true
	d.fail(pos, "", "", text)
}

func (d *draft) done() (*File, Problems) {
	if !d.stacks && !d.unread {
		d.fail(Pos{File: d.file.Path}, "", "",
			`has no stack, so there is nothing to run: add a line like stack="ct1:NFCT,ipfix1:IPFIX"`)
	}
	return d.file, d.problems()
}
