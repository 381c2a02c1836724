package json

import "ulogd/engine"

// Examine looks at the file, or the peer, that mode chooses.
func (j *json) Examine(d *engine.Diagnosis) {
	if j.mode == "file" {
		j.file.Examine(d)
		return
	}
	j.peer.Examine(d)
}
