// What will go wrong, before it does: instances examine what they rest on, without being opened.

package engine

import "slices"

// A Finding is something that spoils the work of an instance, or will.
type Finding struct {
	Where []string // the instances, ID:PLUGIN
	What  string   // what was found, such as "net.netfilter.nf_conntrack_acct is 0"
	Why   string   // why it matters
	Mend  string   // the command, or the change of configuration, that mends it
}

// An Examiner is an instance that can say what will spoil its work: settings of the kernel, missing
// privileges, files, names. Its options are set and it is bound, but not opened. It changes nothing
// that others would notice.
type Examiner interface{ Examine(d *Diagnosis) }

// A Diagnosis gathers findings.
type Diagnosis struct {
	// Running is the process that runs this configuration now, 0 if none is known: what it holds is
	// not taken by another.
	Running int

	where    string
	findings []Finding
}

// Find adds a finding. What several instances find is one finding.
func (d *Diagnosis) Find(what, why, mend string) {
	for i := range d.findings {
		if f := &d.findings[i]; f.What == what && f.Why == why && f.Mend == mend {
			if !slices.Contains(f.Where, d.where) {
				f.Where = append(f.Where, d.where)
			}
			return
		}
	}
	d.findings = append(d.findings, Finding{Where: []string{d.where}, What: what, Why: why, Mend: mend})
}

// Findings returns what was found so far.
func (d *Diagnosis) Findings() []Finding { return d.findings }

// Of says whom later findings concern.
func (d *Diagnosis) Of(where string) { d.where = where }

// Examine has every instance look for what will go wrong.
func (m *Machine) Examine(d *Diagnosis) {
	for _, inst := range m.insts {
		if x, ok := inst.impl.(Examiner); ok {
			d.Of(inst.String())
			x.Examine(d)
		}
	}
}
