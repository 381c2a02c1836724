// How long a store keeps rows.

package store

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"ulogd/engine"
)

// A Retention is the option of that name: how long rows are kept; 0: for ever.
type Retention struct {
	time.Duration
	text string
}

// Declare declares the option.
func (r *Retention) Declare(opts *engine.Options, doc string) {
	opts.String(&r.text, "retention", "0", doc+", in days (30d) or hours (36h); 0: for ever")
}

// Validate reads the option.
func (r *Retention) Validate() (err error) {
	text := r.text
	if number, ok := strings.CutSuffix(text, "d"); ok {
		if days, err := strconv.ParseUint(number, 10, 16); err == nil {
			text = fmt.Sprintf("%dh", 24*days)
		}
	}
	r.Duration, err = time.ParseDuration(text)
	if err != nil || r.Duration < 0 || r.Duration > 0 && r.Duration < time.Hour {
		return fmt.Errorf("retention: must be at least an hour, in days (30d) or hours (36h), is %q", r.text)
	}
	return nil
}
