// What of a batch a store has taken before.

package store

import (
	"fmt"
	"strconv"
	"strings"
)

// Partly is the error of rows of which the store has some already: those before At, or those from it on.
type Partly struct{ At int }

func (p *Partly) Error() string {
	return fmt.Sprintf("the store has rows of one side of row %d already", p.At)
}

// Pieces returns what the IDs of all pieces of the rows' batch lie between, the first included, as octets are
// compared.
func (r *Rows) Pieces() (from, to string) {
	batch := r.Batch.String()
	return batch + "-", batch + "." // which follows it
}

// Known reports whether the store has these rows, by the IDs that it keeps of pieces of their batch. The run
// that sent them may have been killed, and this one send other pieces: where the store has some of the rows
// alone, the error is a [*Partly].
func (r *Rows) Known(ids []string) (known bool, err error) {
	type piece struct{ from, to int }
	var taken []piece
	for _, id := range ids {
		words := strings.Split(id, "-")
		if len(words) != 3 || words[0] != r.Batch.String() {
			continue
		}
		first, e := strconv.ParseInt(words[1], 10, 32)
		n, e2 := strconv.ParseInt(words[2], 10, 32)
		if e == nil && e2 == nil {
			taken = append(taken, piece{int(first), int(first + n)})
		}
	}
	at, end := r.First, r.First+r.Len()
	for more := true; more; {
		more = false
		for _, p := range taken {
			if p.from <= at && at < p.to {
				at, more = p.to, true
			}
		}
	}
	if at > r.First {
		if at >= end {
			return true, nil
		}
		return false, &Partly{at - r.First}
	}
	next := end
	for _, p := range taken {
		if at < p.from && p.from < p.to {
			next = min(next, p.from)
		}
	}
	if next < end {
		return false, &Partly{next - r.First}
	}
	return false, nil
}
