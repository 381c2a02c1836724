// The value of stack=: plugin instances in the order in which records pass them.

package conf

import (
	"fmt"
	"strings"
)

// Stack is one chain of plugin instances, from an input through filters to an output.
type Stack struct {
	Text     string // as written
	Elements []Element
	Pos      Pos
}

// Element names an instance, whose options stand in the section of that name, and its plugin.
type Element struct{ ID, Plugin string }

// ParseStack reads id:PLUGIN,id:PLUGIN,... Blanks around names and empty places between commas do no harm.
func ParseStack(text string, pos Pos) (Stack, Problems) {
	var r report
	s, _ := parseStack(text, pos, &r)
	return s, r.problems()
}

func parseStack(text string, pos Pos, r *report) (s Stack, ok bool) {
	s = Stack{Text: text, Pos: pos}
	ok = true
	fail := func(format string, args ...any) {
		ok = false
		r.add(Problem{Pos: pos, Option: "stack", Text: fmt.Sprintf(format, args...)})
	}
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		id, plugin, colon := strings.Cut(item, ":")
		id, plugin = strings.TrimSpace(id), strings.TrimSpace(plugin)
		switch {
		case item == "":
		case !colon:
			fail("%s has no colon; write id:PLUGIN, such as ct1:NFCT", quote(item))
		case id == "":
			fail("%s has no id before the colon; write one, such as ct1:NFCT", quote(item))
		case plugin == "":
			fail("%s names no plugin after the colon; write one, such as ct1:NFCT", quote(item))
		default:
			s.Elements = append(s.Elements, Element{ID: id, Plugin: plugin})
		}
	}
	if ok && len(s.Elements) == 0 {
		fail("is empty; write id:PLUGIN,id:PLUGIN, an input first and an output last")
	}
	return s, ok
}
