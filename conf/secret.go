// Passwords: values that are shown to nobody.

package conf

import (
	"path/filepath"
	"regexp"
	"slices"

	"ulogd/engine/value"
)

// secret reports whether an option has, or may have, a password in its value.
func secret(option string) bool { return option == "pass" || option == "connstring" }

// Where libpq's connection strings have passwords: as name=value, in the query of a URL, in front of its host.
var (
	inWords = regexp.MustCompile(`(?i)\b(ssl)?password\s*=\s*('(\\.|[^'\\])*'?|(\\.|[^\s\\])*)\s*`)
	inQuery = regexp.MustCompile(`(?i)(ssl)?password=[^&]*&?`)
	inHost  = regexp.MustCompile(`^(\w+://[^:/@]*):[^/]*@`)
	isURL   = regexp.MustCompile(`^\w+://`)
)

// withoutPassword cuts passwords out of an option's text.
func withoutPassword(option, text string) string {
	switch {
	case option == "pass":
		return ""
	case isURL.MatchString(text):
		return inQuery.ReplaceAllString(inHost.ReplaceAllString(text, "$1@"), "")
	}
	return inWords.ReplaceAllString(text, "")
}

// WithoutSecrets returns the file as it may be shown. In place of a password a section names the file that it belongs
// into; the problems are warnings that say so.
func (f *File) WithoutSecrets() (*File, Problems) {
	shown := *f
	shown.Sections = slices.Clone(f.Sections)
	var problems Problems
	for i := range shown.Sections {
		s := &shown.Sections[i]
		_, named := s.Lookup("pass_file")
		var options []Option
		for _, o := range s.Options {
			all := append([]Value{o.Value}, o.Value.List...)
			hides := secret(o.Name) && slices.ContainsFunc(all, func(v Value) bool { return withoutPassword(o.Name, v.Text) != v.Text })
			if !hides {
				options = append(options, o)
				continue
			}
			if o.Name != "pass" {
				text := Value{Kind: value.String, Text: withoutPassword(o.Name, o.Value.Text), Pos: o.Value.Pos}
				options = append(options, Option{o.Name, text, o.Pos})
			}
			if named {
				continue
			}
			named = true
			path := filepath.Join("/etc/ulogd", filepath.Base(s.Name)+".pass")
			options = append(options, Option{"pass_file", Value{Kind: value.String, Text: path, Pos: o.Pos}, o.Pos})
			problems = append(problems, Problem{
				Pos: o.Pos, Section: s.Name, Option: o.Name, Warning: true,
				Text: "the password is not shown; put it into the file " + path + ", which only the daemon's user can read",
			})
		}
		s.Options = options
	}
	return &shown, problems
}
