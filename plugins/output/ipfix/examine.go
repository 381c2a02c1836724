// What an operator is told before it goes wrong.

package ipfix

import (
	"ulogd/engine"
	"ulogd/plugins/output/export"
	"ulogd/plugins/output/export/spool"
)

// Examine implements engine.Examiner.
func (o *output) Examine(d *engine.Diagnosis) {
	if o.announce == export.Never {
		d.Find("send_template = never: no collector is told what the records mean",
			"only one that knows their template from its own configuration can read them; the others drop them without a word",
			`set send_template = "once"`)
	}
	if o.proto == protoFile {
		o.file.examine(d)
		return
	}
	o.Settings.Examine(d)
	if o.secure() {
		o.identity.Examine(d)
	}
	if o.spool.path != "" {
		spool.Examine(d, o.spool.path)
	}
}
