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

func (b *draft) at(line int) Pos { return Pos{File: b.file.Path, Line: line} }

// section returns the section of that name, made at its first mention. The pointer holds until the next call.
func (b *draft) section(name string, pos Pos) *Section {
	if name == globalName {
		if b.file.Global.Pos.Line == 0 {
			b.file.Global.Pos = pos
		}
		return &b.file.Global
	}
	i, ok := b.index[name]
	if !ok {
		i = len(b.file.Sections)
		b.index[name] = i
		b.file.Sections = append(b.file.Sections, Section{Name: name, Pos: pos})
	}
	return &b.file.Sections[i]
}

// option adds an option to a section unless it has one of that name.
func (b *draft) option(section *Section, o Option) {
	id := [2]string{section.Name, o.Name}
	if first, ok := b.options[id]; ok {
		b.warn(o.Pos, section.Name, o.Name, fmt.Sprintf("is set twice; the value of line %d is kept", first.Line))
		return
	}
	b.options[id] = o.Pos
	section.Options = append(section.Options, o)
}

// stack adds a stack unless something is wrong with it.
func (b *draft) stack(text string, pos Pos) {
	b.stacks = true
	if s, ok := parseStack(text, pos, &b.report); ok {
		b.file.Stacks = append(b.file.Stacks, s)
	}
}

func (b *draft) fail(pos Pos, section, option, text string) {
	b.add(Problem{Pos: pos, Section: section, Option: option, Text: text})
}

func (b *draft) warn(pos Pos, section, option, text string) {
	b.add(Problem{Pos: pos, Section: section, Option: option, Text: text, Warning: true})
}

// stop reports the error behind which nothing was read.
func (b *draft) stop(pos Pos, text string) {
	b.unread = true
	b.fail(pos, "", "", text)
}

func (b *draft) done() (*File, Problems) {
	if !b.stacks && !b.unread {
		b.fail(Pos{File: b.file.Path}, "", "", `has no stack, so there is nothing to run: add a line like stack="ct1:NFCT,ipfix1:IPFIX"`)
	}
	return b.file, b.problems()
}
