// Package conf reads a configuration file into one model, whichever of its two grammars the file is written in:
// ulogd2's (ulogd.conf) or TOML. Everything in the model knows its file and line.
//
// The package knows no plugin. It says what a file contains; whether an option exists and what type it has is for
// others to judge, who then report a Problem in the same form.
package conf

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"ulogd/engine/value"
)

// File is a configuration file as read.
type File struct {
	Path     string
	Grammar  Grammar
	Global   Section   // options of the daemon itself, without its stacks
	Sections []Section // in file order, no two of one name
	Stacks   []Stack   // in file order, only those without an error
}

// Section holds the options of one plugin instance, whose id is its name.
type Section struct {
	Name    string
	Pos     Pos
	Options []Option // in file order, no two of one name
}

// Lookup returns the section's option of that name.
func (s Section) Lookup(name string) (Option, bool) {
	for _, o := range s.Options {
		if o.Name == name {
			return o, true
		}
	}
	return Option{}, false
}

// Option is one key with its value.
type Option struct {
	Name  string
	Value Value
	Pos   Pos
}

// Value is what an option was set to. Its Text is always set but for a List: the word, the content of a string, or
// the literal in its shortest decimal form.
type Value struct {
	Kind value.Kind
	Text string
	List []Value
	Pos  Pos
}

// Grammar is the language a file is written in.
type Grammar uint8

// The two grammars.
const (
	Ulogd Grammar = iota
	TOML
)

func (g Grammar) String() string {
	return [...]string{"ulogd.conf", "TOML"}[g]
}

// Pos is a line of a file. Line 0 stands for the file as a whole.
type Pos struct {
	File string
	Line int
}

func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// maxSize bounds what Load reads, so that a device or a log file given by mistake ends in a message.
const maxSize = 16 << 20

// Load reads and parses the file at path.
func Load(path string) (*File, Problems) {
	data, err := read(path)
	if err != nil {
		f := &File{Path: path, Grammar: grammarOf(path)}
		return f, Problems{{Pos: Pos{File: path}, Text: "cannot read the configuration: " + err.Error()}}
	}
	return Parse(path, data)
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, reason(err)
	}
	if len(data) > maxSize {
		return nil, fmt.Errorf("it is larger than %d MiB", maxSize>>20)
	}
	return data, nil
}

// reason strips operation and path from an error of package os: the problem names the file already.
func reason(err error) error {
	if e, ok := err.(*os.PathError); ok {
		return e.Err
	}
	return err
}

// Parse reads a configuration from memory. The path chooses the grammar, TOML if the file's name contains ".toml",
// and stands in positions. The File returned is never nil and holds what could be understood.
func Parse(path string, data []byte) (*File, Problems) {
	b := newDraft(path, grammarOf(path))
	text := strings.TrimPrefix(string(data), "\ufeff") // byte order mark, written by some editors
	if b.file.Grammar == TOML {
		b.readTOML(text)
	} else {
		b.readUlogd(text)
	}
	return b.done()
}

func grammarOf(path string) Grammar {
	if strings.Contains(filepath.Base(path), ".toml") {
		return TOML
	}
	return Ulogd
}
