// What `ulogd doctor` asks instances: what will go wrong, before it does and without being opened.

package engine

import "slices"

// A DoctorFinding is something that spoils the work of an instance, or will.
type DoctorFinding struct {
	Where []string // the instances, ID:PLUGIN
	What  string   // what was found, such as "net.netfilter.nf_conntrack_acct is 0"
	Why   string   // why it matters
	Mend  string   // the command, or the change of configuration, that mends it
}

// A Doctored instance is one that can say what will spoil its work: settings of the kernel, missing
// privileges, files, names. Its options are set and it is bound, but not opened. It changes nothing
// that others would notice.
type Doctored interface{ Doctor(d *DoctorReport) }

// A DoctorReport gathers findings.
type DoctorReport struct {
	// Running is the process that runs this configuration now, 0 if none is known: what it holds is
	// not taken by another.
	Running int
	// User is as whom files are looked at, if that is the user whom the daemon will become, which has made them as root before.
	User string

	where    string
	findings []DoctorFinding
}

// Find adds a finding. What several instances find is one finding.
func (d *DoctorReport) Find(what, why, mend string) {
	for i := range d.findings {
		if f := &d.findings[i]; f.What == what && f.Why == why && f.Mend == mend {
			if !slices.Contains(f.Where, d.where) {
				f.Where = append(f.Where, d.where)
			}
			return
		}
	}
	d.findings = append(d.findings, DoctorFinding{Where: []string{d.where}, What: what, Why: why, Mend: mend})
}

// Findings returns what was found so far.
func (d *DoctorReport) Findings() []DoctorFinding { return d.findings }

// Of says whom later findings concern.
func (d *DoctorReport) Of(where string) { d.where = where }

// Doctor has every instance look for what will go wrong.
func (m *Machine) Doctor(d *DoctorReport) {
	for _, inst := range m.instances() {
		if x, ok := inst.impl.(Doctored); ok {
			d.Of(inst.String())
			x.Doctor(d)
		}
	}
}
