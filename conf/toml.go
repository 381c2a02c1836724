// The grammar of TOML: a section is a table, an option a key of it. What stands above the first table, and stacks,
// belong to [global].

package conf

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"ulogd/engine/value"

	"github.com/BurntSushi/toml"
)

// tomlReader puts a decoded file into the model.
type tomlReader struct {
	*draft
	keys *tomlKey
	seen map[string]bool // paths read: a file's list of keys names some more than once
}

func (d *draft) readTOML(text string) {
	keys, deep := scanTOML(text)
	if deep > 0 {
		d.stop(d.at(deep), fmt.Sprintf("nests more than %d levels deep; a section is a table and an option a key of it",
			maxDepth))
		return
	}
	var root map[string]any
	meta, err := toml.Decode(text, &root)
	if err != nil {
		line, message := 0, err.Error()
		if e, ok := err.(toml.ParseError); ok {
			line, message = e.Position.Line, e.Message
		}
		d.stop(d.at(line), "is not valid TOML: "+plain(message))
		return
	}
	r := &tomlReader{draft: d, keys: keys, seen: map[string]bool{}}
	for _, path := range meta.Keys() {
		r.key(path, root)
	}
}

// key reads what a path leads to: an option of [global], a section or an option of one.
func (r *tomlReader) key(path toml.Key, root map[string]any) {
	table, ok := root[path[0]].(map[string]any)
	if !ok {
		switch _, many := root[path[0]].([]map[string]any); {
		case !r.first(path[:1]):
		case many:
			r.fail(r.at(r.keys.find(path[:1]).line), path[0], "", "is a list of tables; a section is one table: write its name in single brackets, once")
		default:
			r.assign(globalName, path[:1], root[path[0]])
		}
		return
	}
	r.section(path[0], r.at(r.keys.find(path[:1]).line))
	if len(path) > 1 && r.first(path[:2]) {
		r.assign(path[0], path[:2], table[path[1]])
	}
}

func (r *tomlReader) first(path toml.Key) bool {
	id := path.String()
	again := r.seen[id]
	r.seen[id] = true
	return !again
}

// assign reads an option, whose name is the path's last part.
func (r *tomlReader) assign(section string, path toml.Key, decoded any) {
	key := r.keys.find(path)
	pos, name := r.at(key.line), path[len(path)-1]
	if name == "stack" {
		r.stacksOf(section, decoded, key)
		return
	}
	value, complaint := r.value(decoded, key)
	if complaint != "" {
		r.fail(value.Pos, section, name, complaint)
		return
	}
	r.option(r.section(section, pos), Option{Name: name, Value: value, Pos: pos})
}

// stacksOf reads the option stack, a string or a list of strings.
func (r *tomlReader) stacksOf(section string, decoded any, key *tomlKey) {
	pos := r.at(key.line)
	if section != globalName {
		r.fail(pos, section, "stack", "belongs to [global]; move it there")
		return
	}
	r.stacks = true
	list, ok := decoded.([]any)
	if !ok {
		list = []any{decoded}
	}
	for i, item := range list {
		text, ok := item.(string)
		if !ok {
			r.fail(r.at(key.itemLine(i)), "", "stack", `must be a string like "ct1:NFCT,ipfix1:IPFIX" or a list of such strings`)
			continue
		}
		r.stack(text, r.at(key.itemLine(i)))
	}
	if ok && len(list) == 0 {
		r.fail(pos, "", "stack", "is an empty list, so there is nothing to run")
	}
}

// value turns what the library decoded into a Value. If an option cannot have it, it says why, and v.Pos is where.
func (r *tomlReader) value(decoded any, key *tomlKey) (v Value, complaint string) {
	v.Pos = r.at(key.line)
	switch d := decoded.(type) {
	case string:
		v.Kind, v.Text = value.String, d
	case int64:
		v.Kind, v.Text = value.Int, strconv.FormatInt(d, 10)
	case float64:
		v.Kind, v.Text = value.Float, formatFloat(d)
	case bool:
		v.Kind, v.Text = value.Bool, strconv.FormatBool(d)
	case []any:
		v.Kind = value.List
		for i, item := range d {
			element, complaint := r.value(item, &tomlKey{line: key.itemLine(i)})
			if complaint != "" {
				return element, complaint
			}
			v.List = append(v.List, element)
		}
	case time.Time:
		return v, "has the wrong type, a date or time; no option takes one: put it in quotes"
	default: // a table, or several
		return v, "is a table inside a section; a section holds plain values and lists"
	}
	return v, ""
}

// formatFloat writes a number so that TOML reads it as a float again.
func formatFloat(f float64) string {
	text := strings.ToLower(strconv.FormatFloat(f, 'g', -1, 64))
	text = strings.TrimPrefix(text, "+")
	if !strings.ContainsAny(text, ".en") { // e: exponent, n: inf and nan
		text += ".0"
	}
	return text
}
