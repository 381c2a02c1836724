// The known name that was probably meant, for "did you mean".

package conf

import "strings"

// maxName is the longest name worth a guess; longer ones are garbage.
const maxName = 64

// Nearest returns the known name closest to name, if one is close enough to be what was meant: one slip in three
// letters. A slip is a letter added, left out, changed or swapped with its neighbour (Damerau-Levenshtein distance in
// its restricted form); case does not count. Of names equally close the first wins. If none is, the shortest that
// contains the name will do.
func Nearest(name string, known []string) (string, bool) {
	if len(name) > maxName {
		return "", false
	}
	var (
		best  string
		limit = len(name)/3 + 1
		lower = strings.ToLower(name)
	)
	if len(name) < 3 {
		limit = len(name) // a distance of the whole name would fit anything
	}
	for _, k := range known {
		if len(k) > maxName {
			continue
		}
		if d := distance(lower, strings.ToLower(k)); d < limit {
			best, limit = k, d
		}
	}
	if best == "" && len(name) >= 4 { // a part of a longer name, such as qthreshold of netlink_qthreshold
		for _, k := range known {
			if strings.Contains(strings.ToLower(k), lower) && (best == "" || len(k) < len(best)) {
				best = k
			}
		}
	}
	return best, best != ""
}

// distance counts the slips between two strings, byte by byte.
func distance(a, b string) int {
	before := make([]int, len(b)+1) // the row before the last
	last := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
