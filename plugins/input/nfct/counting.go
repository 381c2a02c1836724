// Counters of a connection over its life: somebody may zero the kernel's (a signal to the daemon,
// conntrack -L -z), and a connection with interim reports counts in each what came since the one
// before.

package nfct

func (c *counters) add(d counters) {
	c.packets += d.packets
	c.octets += d.octets
}

func (c *counters) sub(d counters) {
	c.packets -= min(d.packets, c.packets)
	c.octets -= min(d.octets, c.octets)
}

// fewer reports whether the kernel's counters were zeroed since they were old.
func (c counters) fewer(old counters) bool { return c.packets < old.packets || c.octets < old.octets }

// observe takes the kernel's counters of f over and makes them the connection's totals.
func (t *table) observe(i uint32, f *flow) {
	e := t.entries.at(i)
	if f.sent.fewer(e.sent) || f.answered.fewer(e.answered) {
		t.zeroed(i)
	}
	e.sent, e.answered = f.sent, f.answered
	if e.flags&hasReport != 0 {
		f.sent.add(t.reports.at(i).baseSent)
		f.answered.add(t.reports.at(i).baseBack)
	}
}

// zeroed moves what was counted to the base, since the kernel's counters begin anew.
func (t *table) zeroed(i uint32) {
	e := t.entries.at(i)
	r := t.report(i)
	r.baseSent.add(e.sent)
	r.baseBack.add(e.answered)
	e.sent, e.answered = counters{}, counters{}
}

// report returns the memory of what was reported, made at first use.
func (t *table) report(i uint32) *report {
	e := t.entries.at(i)
	if e.flags&hasReport == 0 {
		*t.reports.reach(i) = report{at: e.start}
		e.flags |= hasReport
	}
	return t.reports.at(i)
}

// delta takes off the totals of f what was reported already.
func (t *table) delta(i uint32, f *flow) {
	if t.entries.at(i).flags&hasReport != 0 {
		f.sent.sub(t.reports.at(i).reported)
		f.answered.sub(t.reports.at(i).reportedBk)
	}
}

// reported notes that the totals of f are being reported.
func (t *table) reported(i uint32, f *flow, now int64) {
	r := t.report(i)
	r.at, r.reported, r.reportedBk = now, f.sent, f.answered
}

// lastReport tells when the connection was last reported, or began.
func (t *table) lastReport(i uint32) int64 {
	if t.entries.at(i).flags&hasReport != 0 {
		return t.reports.at(i).at
	}
	return t.entries.at(i).start
}
