// Package value tells how the value of an option was written: what the reader of a file, which knows no option,
// and the options, which know no file, have to say to each other.
package value

// Kind is how a value was written, and how an option's value is to be written.
type Kind uint8

// The kinds of a value. A ulogd.conf has words only, TOML has all but these.
const (
	Word Kind = iota // a word of a ulogd.conf, in quotes or not: its reader decides what it is
	String
	Int
	Float
	Bool
	List
)

func (k Kind) String() string {
	return [...]string{"a word", "a string", "a whole number", "a number", "true or false", "a list"}[k]
}
