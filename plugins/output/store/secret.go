// Passwords.

package store

import (
	"fmt"
	"strings"

	"ulogd/engine"
	"ulogd/engine/safefile"
)

// A Secret is a password: a word of the configuration, or the first line of a file.
type Secret struct{ word, file string }

// Declare declares the options NAME and NAME_file.
func (s *Secret) Declare(opts *engine.Options, name string) {
	opts.String(&s.word, name, "", "the password; whoever may read the configuration knows it: better is "+name+"_file")
	opts.String(&s.file, name+"_file", "", "file whose first line is the password; it is read whenever a connection "+
		"is made")
	opts.Reads(name + "_file")
}

// Read returns the password; "" if none is set.
func (s *Secret) Read() (string, error) {
	if s.file == "" {
		return s.word, nil
	}
	text, err := safefile.Read(s.file)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSuffix(line, "\r"), nil
}
