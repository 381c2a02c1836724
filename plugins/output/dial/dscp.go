// Names of code points (IANA's registry of DSCP).

package dial

import (
	"fmt"
	"strconv"
	"strings"

	"ulogd/engine"
	"ulogd/engine/value"
)

// codePoints in the order of their numbers.
var codePoints = []struct {
	name string
	dscp int
}{
	{"cs0", 0},
	{"le", 1},
	{"cs1", 8},
	{"af11", 10},
	{"af12", 12},
	{"af13", 14},
	{"cs2", 16},
	{"af21", 18},
	{"af22", 20},
	{"af23", 22},
	{"cs3", 24},
	{"af31", 26},
	{"af32", 28},
	{"af33", 30},
	{"cs4", 32},
	{"af41", 34},
	{"af42", 36},
	{"af43", 38},
	{"cs5", 40},
	{"va", 44},
	{"ef", 46},
	{"cs6", 48},
	{"cs7", 56},
}

func dscpNames() (list []string) {
	for _, c := range codePoints {
		list = append(list, c.name)
	}
	return list
}

func (s *Settings) setDSCP(v engine.Value) (warning string, err error) {
	for _, c := range codePoints {
		if strings.EqualFold(v.Text, c.name) {
			s.dscp, s.marked = c.dscp, true
			return "", nil
		}
	}
	n, err := strconv.ParseInt(v.Text, 0, 64)
	if err != nil || n < 0 || n > 63 || v.Kind == value.List || v.Kind == value.Bool {
		return "", fmt.Errorf("must be from 0 to 63 or one of %s, is %q", strings.Join(dscpNames(), ", "), v.Text)
	}
	s.dscp, s.marked = int(n), true
	return "", nil
}
