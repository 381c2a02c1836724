// Records into objects.

package json

import (
	"slices"
	"strconv"
	"strings"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/engine/text"
	"ulogd/plugins/output/sink"
)

// stage is JSON at the end of one stack.
type stage struct {
	*json
	*sink.Writer
	at      engine.Col[engine.Time]
	ended   engine.Col[engine.Time] // of a flow of a file, the time of writing being of no interest
	seconds bool                    // the input tells times in whole seconds, and so does the time stamp
	start   []byte                  // `{`, version, and the name of the time stamp
	device  []byte                  // `"dvc": "..."`
	members []member
	objects []enclosing // nested: those that members stand in
	order   []int       // nested: members, those of an object together
	within  [][]int     // nested: the objects around each member, by where they stand in objects
	open    []int       // nested: the objects that members stand in now
}

// member is a key that objects can have.
type member struct {
	engine.Field
	name  string
	label []byte // `, "name": `, nested without what stands in front of the name
	// Other keys of the same name: where one of the earlier stands already the object has its last
	// valid value in that place.
	earlier, later []int
	action         bool // raw.label in words
}

func (j *json) bindStage(p *engine.Binder) engine.Stage {
	s := &stage{json: j, Writer: j.Sink.Bind(p, j.target()), at: engine.Want(p, key.OOBTime), start: []byte("{")}
	if j.timestamp {
		s.ended = engine.Want(p, key.FlowEnd)
	}
	if j.eventv1 {
		s.start = append(s.start, `"@version": 1, `...)
	}
	if j.timestamp && j.eventv1 {
		s.start = append(s.start, `"@timestamp": "`...)
	} else if j.timestamp {
		s.start = append(s.start, `"timestamp": "`...)
	}
	if f, ok := p.Named("oob.time.sec"); ok {
		s.seconds = f.Key.Type != engine.TimeType
	}
	s.device = text.AppendJSON([]byte(`"dvc": `), []byte(j.device))
	for _, f := range j.keys.Fields(p) {
		s.add(f)
	}
	if s.nested {
		s.nest()
	}
	return s
}

// add makes a member of a key, if it is shown. A name that comes again keeps the place of the
// first.
func (s *stage) add(f engine.Field) {
	switch f.Type() {
	case engine.AddrType, engine.RawType, engine.RawTextType:
		if !slices.Contains(s.keys.Keys, f.Name) {
			return
		}
	}
	m := member{Field: f, name: strings.ReplaceAll(f.Name, ".", s.separator)}
	if f.Key.CIM != "" {
		m.name = f.Key.CIM
	}
	if s.boolable && f.Name == "raw.label" {
		m.name, m.action = "action", true
	}
	at := len(s.members)
	for i := range s.members {
		o := &s.members[i]
		if o.name != m.name {
			continue
		}
		if o.Key == f.Key && o.Giver == f.Giver {
			return // the same value, where it stands already
		}
		o.later = append(o.later, at)
		m.earlier = append(m.earlier, i)
	}
	m.label = append(text.AppendJSON([]byte(", "), []byte(m.name)), ": "...)
	s.members = append(s.members, m)
}

func (s *stage) Consume(b *engine.Batch) {
	buf := s.Begin()
	times, timed, have := s.at.Of(b), s.at.Mask(), b.Have()
	replayed := s.timestamp && b.Replay() && s.ended.Given()
	for _, r := range b.Rows() {
		buf = append(buf, s.start...)
		if s.timestamp {
			if have[r]&timed != 0 {
				buf = s.appendTime(buf, times[r], s.seconds)
			} else if replayed && s.ended.Has(b, r) {
				buf = s.appendTime(buf, s.ended.Of(b)[r], s.seconds)
			} else {
				buf = s.appendTime(buf, engine.Time(b.Clock()), true)
			}
			buf = append(buf, `", `...)
		}
		buf = append(buf, s.device...)
		if s.nested {
			buf = s.appendNested(buf, b, r)
		} else {
			for i := range s.members {
				if m := &s.members[i]; m.Has(b, r) {
					buf = s.appendMember(buf, m, b, r)
				}
			}
		}
		buf = s.End(append(buf, "}\n"...))
	}
	s.Commit(buf)
}

// appendTime appends a time, with microseconds where they are known.
func (s *stage) appendTime(buf []byte, t engine.Time, seconds bool) []byte {
	buf = append(buf, s.clock.Text(int64(t)/1e9)...)
	if !seconds {
		usec := t.Usec()
		buf = append(buf, '.', '0'+byte(usec/100000), '0'+byte(usec/10000%10), '0'+byte(usec/1000%10), '0'+byte(usec/100%10), '0'+byte(usec/10%10), '0'+byte(usec%10))
	}
	return append(buf, s.offset...)
}

func (s *stage) appendMember(buf []byte, m *member, b *engine.Batch, r engine.Row) []byte {
	for _, i := range m.earlier {
		if s.members[i].Has(b, r) {
			return buf
		}
	}
	label := m.label
	for _, i := range m.later {
		if s.members[i].Has(b, r) {
			m = &s.members[i]
		}
	}
	buf = append(buf, label...)
	switch m.Type() {
	case engine.StringType, engine.RawTextType:
		return text.AppendJSON(buf, m.Bytes(b, r))
	case engine.BoolType, engine.Uint8Type, engine.Uint16Type, engine.Uint32Type, engine.Uint64Type:
		v := m.Uint(b, r)
		switch {
		case !m.action:
			return strconv.AppendUint(buf, v, 10)
		case v != 0:
			return append(buf, `"allowed"`...)
		}
		return append(buf, `"blocked"`...)
	case engine.Int8Type, engine.Int16Type, engine.Int32Type, engine.Int64Type, engine.TimeType:
		return m.AppendText(buf, b, r)
	}
	return append(m.AppendText(append(buf, '"'), b, r), '"')
}
