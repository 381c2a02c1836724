// Where the keys of a TOML file stand. The TOML library gives keys and values without their lines, so this scanner
// walks over the text and notes them. It judges nothing: where it meets what it does not expect it stops, and the
// library says what is wrong there.

package conf

import (
	"strings"

	"github.com/BurntSushi/toml"
)

// maxDepth bounds how deep tables, lists and dotted keys may nest. Configurations need three levels; the library
// takes a minute for a file of 64 KiB that nests without end.
const maxDepth = 16

// tomlKey is a node in the tree of a file's keys.
type tomlKey struct {
	line  int   // of its first mention
	items []int // line of each item, where the value is a list
	keys  map[string]*tomlKey
}

// at returns the key at a path below k, made if new.
func (k *tomlKey) at(path []string, line int) *tomlKey {
	for _, name := range path {
		next := k.keys[name]
		if next == nil {
			next = &tomlKey{line: line}
			if k.keys == nil {
				k.keys = map[string]*tomlKey{}
			}
			k.keys[name] = next
		}
		k = next
	}
	return k
}

// find returns the key at a path below k or, should it be unknown, its nearest known parent.
func (k *tomlKey) find(path []string) *tomlKey {
	for _, name := range path {
		next := k.keys[name]
		if next == nil {
			break
		}
		k = next
	}
	return k
}

// itemLine returns the line of item i of a list.
func (k *tomlKey) itemLine(i int) int {
	if i < len(k.items) {
		return k.items[i]
	}
	return k.line
}

// tomlScanner walks over the text of a file.
type tomlScanner struct {
	text  string // what is left
	line  int
	depth int
	deep  int // the line that nests deeper than maxDepth; 0 if none does
}

// scanTOML returns the tree of keys of a file and the line that nests too deep, if one does.
func scanTOML(text string) (root *tomlKey, deep int) {
	s := &tomlScanner{text: text, line: 1}
	root = &tomlKey{}
	table := root
	for s.skip(" \t\r\n"); s.text != "" && s.deep == 0; s.skip(" \t\r\n") {
		if s.accept("[") {
			s.accept("[") // a list of tables: all have the first one's line
			line := s.line
			path, ok := s.path()
			if !ok || !s.accept("]") {
				break
			}
			s.accept("]")
			table = root.at(path, line)
		} else if !s.assignment(table) {
			break
		}
	}
	return root, s.deep
}

// assignment reads path = value and notes it below table.
func (s *tomlScanner) assignment(table *tomlKey) bool {
	line := s.line
	path, ok := s.path()
	if !ok || !s.accept("=") {
		return false
	}
	s.depth += len(path)
	defer func() { s.depth -= len(path) }()
	return s.value(table.at(path, line))
}

// path reads a key such as a, "a b" or a.b.c, and the blanks around it.
func (s *tomlScanner) path() (path []string, ok bool) {
	for {
		s.blanks()
		name, ok := s.name()
		if !ok {
			return nil, false
		}
		path = append(path, name)
		if !s.enter(len(path)) {
			return nil, false
		}
		s.blanks()
		if !s.accept(".") {
			return path, true
		}
	}
}

func (s *tomlScanner) name() (string, bool) {
	if s.text == "" {
		return "", false
	}
	if s.text[0] != '"' && s.text[0] != '\'' {
		name := s.until(" \t\r\n.=[]{},#\"'")
		return name, name != ""
	}
	start := s.text
	if !s.quoted() {
		return "", false
	}
	literal := start[:len(start)-len(s.text)]
	if !strings.Contains(literal, `\`) {
		return literal[1 : len(literal)-1], true
	}
	var key struct{ K string } // the library knows TOML's escapes
	_, err := toml.Decode("K="+literal, &key)
	return key.K, err == nil
}

// value passes over a value; keys and items in it are noted below k.
func (s *tomlScanner) value(k *tomlKey) bool {
	s.blanks()
	switch {
	case s.text == "":
		return false
	case s.text[0] == '"' || s.text[0] == '\'':
		return s.quoted()
	case s.accept("["):
		return s.sequence("]", func() bool {
			k.items = append(k.items, s.line)
			return s.value(&tomlKey{})
		})
	case s.accept("{"):
		return s.sequence("}", func() bool { return s.assignment(k) })
	}
	return strings.TrimSpace(s.until(",]}#\n")) != ""
}

// sequence passes over the items of a list or an inline table up to its end.
func (s *tomlScanner) sequence(end string, item func() bool) bool {
	if !s.enter(1) {
		return false
	}
	s.depth++
	defer func() { s.depth-- }()
	for {
		s.skip(" \t\r\n,")
		if s.accept(end) {
			return true
		}
		if s.text == "" || !item() {
			return false
		}
	}
}

// enter reports whether n levels more are still within bounds, and notes the line if not.
func (s *tomlScanner) enter(n int) bool {
	if s.depth+n <= maxDepth {
		return true
	}
	s.deep = s.line
	return false
}

// quoted passes over a string of any of the four kinds.
func (s *tomlScanner) quoted() bool {
	quote := s.text[:1]
	if long := strings.Repeat(quote, 3); strings.HasPrefix(s.text, long) {
		quote = long
	}
	s.advance(len(quote))
	for s.text != "" {
		switch {
		case strings.HasPrefix(s.text, quote):
			s.advance(len(quote))
			if len(quote) == 3 { // up to two quotes may stand right before the closing three
				for range 2 {
					s.accept(quote[:1])
				}
			}
			return true
		case s.text[0] == '\\' && quote[0] == '"':
			s.advance(min(2, len(s.text)))
		default:
			s.advance(1)
		}
	}
	return false
}

// skip passes over any of the characters given, and comments between them.
func (s *tomlScanner) skip(chars string) {
	for {
		n := len(s.text) - len(strings.TrimLeft(s.text, chars))
		s.advance(n)
		if !strings.HasPrefix(s.text, "#") {
			return
		}
		s.until("\n")
	}
}

func (s *tomlScanner) blanks() { s.text = strings.TrimLeft(s.text, " \t") }

// until returns the text before the first of the characters given and passes over it.
func (s *tomlScanner) until(chars string) string {
	end := strings.IndexAny(s.text, chars)
	if end < 0 {
		end = len(s.text)
	}
	text := s.text[:end]
	s.advance(end)
	return text
}

func (s *tomlScanner) accept(token string) bool {
	if !strings.HasPrefix(s.text, token) {
		return false
	}
	s.advance(len(token))
	return true
}

func (s *tomlScanner) advance(n int) {
	s.line += strings.Count(s.text[:n], "\n")
	s.text = s.text[n:]
}
