// What an operator is told before it goes wrong.

package ipfix

import (
	"ulogd/engine"
	"ulogd/plugins/output/export"
	"ulogd/plugins/output/spool"
)

// Doctor implements engine.Doctored.
func (o *output) Doctor(d *engine.DoctorReport) {
	if o.announce == export.Never {
		d.Find("send_template = never: no collector is told what the records mean",
			"only one that knows their template from its own configuration can read them; the others drop them without a word",
			`set send_template = "once"`)
	}
	if o.proto == protoFile {
		o.file.doctor(d)
		return
	}
	if o.datagrams() {
		o.Settings.Doctor(d)
	} else {
		o.Answers(d)
	}
	if o.secure() {
		o.identity.Doctor(d)
	}
	if o.spool.path != "" {
		spool.Doctor(d, o.spool.path)
	}
}
