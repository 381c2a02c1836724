// The levels of the daemon's log, by name and by ulogd2's number.

package stacks

import (
	"fmt"
	"strconv"
	"strings"
)

// LevelNames lists the levels as messages and manuals name them.
const LevelNames = "debug (1), info (3), notice (5), error (7), fatal (8)"

var levels = map[string]int{"debug": 1, "info": 3, "notice": 5, "warning": 5, "error": 7, "fatal": 8}

// ParseLevel reads a level: a name, or a number as for ulogd2, whose levels leave room between them.
func ParseLevel(text string) (int, error) {
	if n, ok := levels[strings.ToLower(text)]; ok {
		return n, nil
	}
	if n, err := strconv.ParseUint(text, 0, 64); err == nil && n <= 8 {
		return int(n), nil
	}
	return 0, fmt.Errorf("%q is no level; there are %s", text, LevelNames)
}
