// The grammar of ulogd.conf: sections in brackets, one option a line, values of one word. What ulogd2 2.0.8 reads is
// read here to the same effect; what it lets pass in silence gets a warning.

package conf

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"ulogd/engine/value"
)

// Characters that separate words. CR is one, so that files with CRLF line ends work.
const (
	blanks        = " \t\r"
	optionBlanks  = blanks + "="
	sectionBlanks = blanks + "[]"
)

// word is a run of characters between blanks, or what stands between two quotes. A quote in the middle of a word is
// an ordinary character.
type word struct {
	text   string
	quoted bool
	open   bool // its closing quote is missing
}

// nextWord splits the first word off a line. At the end of a line it returns an empty, unquoted word.
func nextWord(line, separators string) (w word, rest string) {
	line = strings.TrimLeft(line, separators)
	if quoted, ok := strings.CutPrefix(line, `"`); ok {
		text, rest, closed := strings.Cut(quoted, `"`)
		return word{text: text, quoted: true, open: !closed}, rest
	}
	end := strings.IndexAny(line, separators)
	if end < 0 {
		end = len(line)
	}
	return word{text: line[:end]}, line[end:]
}

// ulogdReader reads a file line by line.
type ulogdReader struct {
	*draft
	ids     map[string]bool // that some stack names: such a word alone on a line starts a section
	started map[string]Pos  // sections begun, and where
	section string          // the one being read; "" where options are left out
}

func (d *draft) readUlogd(text string) {
	r := &ulogdReader{draft: d, ids: stackIDs(text), started: map[string]Pos{}, section: globalName}
	line := 0
	for text := range strings.Lines(text) {
		line++
		text = strings.Trim(text, blanks+"\n")
		if text == "" || text[0] == '#' || text[0] == ';' {
			continue
		}
		if strings.IndexByte(text, 0) >= 0 {
			r.stop(r.at(line), "holds a zero byte: this is no text file; nothing behind it was read")
			return
		}
		if !utf8.ValidString(text) {
			r.warn(r.at(line), "", "", "is not UTF-8 and was read as ISO 8859-1; save the file as UTF-8")
			text = fromLatin1(text)
		}
		r.line(text, r.at(line))
	}
}

// stackIDs collects the instance ids of all stacks ahead of the reading itself.
func stackIDs(text string) map[string]bool {
	ids := map[string]bool{globalName: true}
	for line := range strings.Lines(text) {
		key, rest := nextWord(strings.TrimRight(line, "\n"), optionBlanks)
		if key.text != "stack" {
			continue
		}
		value, _ := nextWord(rest, optionBlanks)
		for item := range strings.SplitSeq(value.text, ",") {
			id, _, _ := strings.Cut(item, ":")
			ids[strings.TrimSpace(id)] = true
		}
	}
	delete(ids, "") // that stack gets its error when it is read
	return ids
}

// line reads one line that is neither empty nor a comment.
func (r *ulogdReader) line(text string, pos Pos) {
	if text[0] == '[' {
		name, rest := nextWord(text, sectionBlanks)
		if !strings.HasPrefix(strings.TrimLeft(rest, blanks), "]") && name.text != "" && !name.open {
			r.fail(pos, name.text, "", "has no closing bracket; write ["+printable(name.text)+"]")
		}
		r.start(name, pos)
		return
	}
	key, rest := nextWord(text, optionBlanks)
	if _, again := r.started[key.text]; strings.Trim(rest, blanks) == "" && r.ids[key.text] && !again {
		r.start(key, pos) // ulogd2 needs no brackets
		return
	}
	if r.section == "" {
		return
	}
	r.assign(key, rest, pos)
}

// start begins a section, unless there was one of that name: its options are left out then.
func (r *ulogdReader) start(name word, pos Pos) {
	r.section = ""
	if name.text == "" || name.open {
		r.warn(pos, "", "", "starts a section without a name; its options are left out")
		return
	}
	if first, ok := r.started[name.text]; ok {
		r.warn(pos, name.text, "", fmt.Sprintf("stands twice in the file; the section of line %d is used, this one is left out", first.Line))
		return
	}
	r.started[name.text] = pos
	r.section = name.text
	r.draft.section(name.text, pos)
}

// assign reads an option, whose key is off the line already.
func (r *ulogdReader) assign(key word, rest string, pos Pos) {
	if key.text == "" || key.open {
		r.warn(pos, r.section, "", "is no option: write name=value; the line is left out")
		return
	}
	if r.section == globalName && key.text == "plugin" {
		return // plugins are built in, there is nothing to load
	}
	val, rest := nextWord(rest, optionBlanks)
	if key.text == "stack" {
		r.assignStack(val, rest, pos)
		return
	}
	if val.open {
		r.warn(pos, r.section, key.text, "has an opening quote without a closing one; its default is kept")
		return
	}
	if !val.quoted && (val.text == "" || val.text == "#") {
		r.warn(pos, r.section, key.text, `has no value; its default is kept (write "" for an empty value)`)
		return
	}
	r.warnOfRest(r.section, key.text, val, rest, pos)
	r.option(r.draft.section(r.section, pos), Option{
		Name:  key.text,
		Value: Value{Kind: value.Word, Text: val.text, Pos: pos},
		Pos:   pos,
	})
}

func (r *ulogdReader) assignStack(value word, rest string, pos Pos) {
	if r.section != globalName {
		r.warn(pos, r.section, "stack", "belongs to [global] and is left out here; move it there")
		return
	}
	if value.open {
		r.stacks = true
		r.fail(pos, "", "stack", "has an opening quote without a closing one")
		return
	}
	r.warnOfRest("", "stack", value, rest, pos)
	r.stack(value.text, pos)
}

// warnOfRest warns of what stands after a value and is not a comment: it has no effect, which few expect.
func (r *ulogdReader) warnOfRest(section, key string, value word, rest string, pos Pos) {
	stack := key == "stack" && !value.quoted && strings.IndexAny(rest, blanks) == 0
	rest = strings.TrimLeft(rest, blanks)
	if rest == "" || rest[0] == '#' || rest[0] == ';' {
		return
	}
	shown := quote(rest)
	if secret(key) {
		shown = fmt.Sprintf("its last %d octets", len(rest))
	}
	text := fmt.Sprintf("ends before %s, which has no effect; put the whole value in quotes", shown)
	if stack {
		text = fmt.Sprintf("ends at the blank before %s; remove the blanks or put the whole stack in quotes", quote(rest))
	}
	r.warn(pos, section, key, text)
}

func fromLatin1(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}
