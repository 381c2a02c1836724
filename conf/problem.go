// What is wrong with a configuration, where, and how it is collected so that one run reports all of it.

package conf

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Problem is one thing wrong with a configuration: an error, or a Warning that does not keep it from running.
// Section and Option may be empty.
type Problem struct {
	Pos             Pos
	Section, Option string
	Text            string
	Warning         bool
}

func (p Problem) Error() string {
	var where []string
	if p.Section != "" {
		where = append(where, "["+printable(p.Section)+"]")
	}
	if p.Option != "" {
		where = append(where, printable(p.Option))
	}
	if len(where) == 0 {
		return fmt.Sprintf("%s: %s", p.Pos, p.Text)
	}
	return fmt.Sprintf("%s: %s: %s", p.Pos, strings.Join(where, " "), p.Text)
}

// Problems are the findings about one configuration.
type Problems []Problem

// Errors returns the problems that keep the configuration from running.
func (ps Problems) Errors() Problems { return ps.which(false) }

// Warnings returns the problems that do not.
func (ps Problems) Warnings() Problems { return ps.which(true) }

func (ps Problems) which(warning bool) Problems {
	var out Problems
	for _, p := range ps {
		if p.Warning == warning {
			out = append(out, p)
		}
	}
	return out
}

// Sort orders problems by line; those of one line keep their order.
func (ps Problems) Sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int { return cmp.Compare(a.Pos.Line, b.Pos.Line) })
}

// maxProblems is how many errors, and how many warnings, are kept one by one: a megabyte of garbage has a problem
// on each of its lines. Errors are counted apart so that warnings never hide one.
const maxProblems = 50

// report collects problems up to that bound.
type report struct {
	errors, warnings bounded
}

type bounded struct {
	kept Problems
	more int
	last Pos // of the last problem not kept
}

func (r *report) add(p Problem) {
	b := &r.errors
	if p.Warning {
		b = &r.warnings
	}
	if len(b.kept) < maxProblems {
		b.kept = append(b.kept, p)
		return
	}
	b.more++
	b.last = p.Pos
}

// problems returns what was collected, sorted, with a closing word on what was not kept.
func (r *report) problems() Problems {
	all := slices.Concat(r.errors.kept, r.warnings.kept)
	if n := r.errors.more; n > 0 {
		all = append(all, Problem{Pos: r.errors.last, Text: fmt.Sprintf("and %d more errors up to here", n)})
	}
	if n := r.warnings.more; n > 0 {
		all = append(all, Problem{Pos: r.warnings.last, Text: fmt.Sprintf("and %d more warnings up to here", n), Warning: true})
	}
	all.Sort()
	return all
}

// maxShown is how many bytes of the file's own text a message repeats.
const maxShown = 60

// quote shows a piece of the file in a message: in quotes, escaped, cut to a readable length.
func quote(s string) string {
	return strconv.Quote(shorten(s, maxShown))
}

// printable shows a name without quotes where that is safe on a terminal and in a log.
func printable(name string) string {
	name = shorten(name, maxShown)
	if q := strconv.Quote(name); q[1:len(q)-1] != name {
		return q
	}
	return name
}

// plain makes a message of others, which may repeat anything, fit to be shown.
func plain(message string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, shorten(message, 4*maxShown))
}

// shorten cuts a text to a number of bytes.
func shorten(s string, cut int) string {
	if len(s) <= cut {
		return s
	}
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}
