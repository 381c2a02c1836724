// What `ulogd doctor` looks at: whether the capture files are there and may be read.

package pcap

import (
	"fmt"
	"os"

	"ulogd/engine"
)

// Examine looks for the capture files.
func (in *input) Examine(d *engine.Diagnosis) {
	const why = "the daemon has nothing to read"
	names, err := expand(in.patterns)
	if err != nil {
		d.Find(err.Error(), why, "correct file in the configuration")
		return
	}
	for _, name := range names {
		if name == standardInput {
			continue
		}
		f, err := os.Open(name)
		if err != nil {
			d.Find(err.Error(), why, fmt.Sprintf("chmod a+r %s, or start ulogd as a user who may read it", name))
			continue
		}
		f.Close()
	}
}
