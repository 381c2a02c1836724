package xml

import "ulogd/engine"

// Examine looks whether files can be made.
func (x *xml) Examine(d *engine.Diagnosis) {
	for _, doc := range x.documents {
		doc.Examine(d)
	}
}
