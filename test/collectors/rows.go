// Reading what collectors print.

package collectors

import (
	"encoding/json"
	"strings"
)

// Rows returns the JSON objects among the lines that a collector printed. Some lines are of its log;
// and where several threads print, as those of goflow2, which write a line and its end one after the
// other, two objects may be on one line.
func Rows(output string) (rows []map[string]any) {
	for line := range strings.Lines(output) {
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		for {
			var row map[string]any
			if d.Decode(&row) != nil {
				break
			}
			rows = append(rows, row)
		}
	}
	return rows
}
