// Who sends most: sums over live flows, by address, port, protocol, interface or network.

package question

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"ulogd/engine"
)

// Top asks who is first by octets, packets or flows. Flows are those of the initiator's direction
// and back, added up.
type Top struct {
	match
	By     string        // one of Tops
	Order  string        // octets, packets or flows
	Limit  int           // rows
	Window time.Duration // over which is counted; 0: since the flows that live began
}

// Tops are what by= takes, in the order of its manual.
var Tops = []string{"src", "dst", "host", "pair", "port", "proto", "in", "out", "srcnet", "dstnet", "id"}

// TopOrders are what sort= takes.
var TopOrders = []string{"octets", "packets", "flows"}

// TopWords are the words that ParseTop takes.
const TopWords = "by, sort, limit, window, " + matchWords

const (
	topRows    = 20
	topRowsMax = 10_000
	// topKeys bounds what a question remembers: what comes beyond is added up as Others.
	topKeys   = 1 << 17
	windowMin = time.Second
	windowMax = time.Hour
)

// ParseTop reads the words of a question.
func ParseTop(words []string) (*Top, error) {
	q := &Top{By: "src", Order: "octets", Limit: topRows}
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return nil, fmt.Errorf("%q: write NAME=VALUE with one of %s", w, TopWords)
		}
		known, err := q.set(name, value)
		switch {
		case known:
		case name == "by":
			q.By, err = oneOf(value, Tops)
		case name == "sort":
			q.Order, err = oneOf(value, TopOrders)
		case name == "limit":
			if q.Limit, err = strconv.Atoi(value); err != nil || q.Limit < 1 || q.Limit > topRowsMax {
				err = fmt.Errorf("%q is no number of rows from 1 to %d", value, topRowsMax)
			}
		case name == "window":
			if q.Window, err = time.ParseDuration(value); err != nil || q.Window != 0 &&
				(q.Window < windowMin || q.Window > windowMax) {
				err = fmt.Errorf("%q is no time from %v to %v; 0: since the flows began", value, windowMin, windowMax)
			}
		default:
			err = fmt.Errorf("%q is none of %s", name, TopWords)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w, err)
		}
	}
	return q, nil
}

func oneOf(value string, list []string) (string, error) {
	if !slices.Contains(list, value) {
		return value, fmt.Errorf("%q is none of %s", value, strings.Join(list, ", "))
	}
	return value, nil
}

// A Row is what one address, port or the like has.
type Row struct {
	Name    string `json:"name"`
	Octets  uint64 `json:"octets"`
	Packets uint64 `json:"packets"`
	Flows   uint64 `json:"flows"`   // that live, or did within the window
	Unknown uint64 `json:"unknown"` // of these: whose counters nobody knows
}

// A Result is an answer, the first row first.
type Result struct {
	At     time.Time     `json:"at"`
	Took   time.Duration `json:"took"` // ns that were counted over; 0: since the flows began
	Rows   []Row         `json:"rows"`
	All    Row           `json:"all"` // everything that matches
	Unable []string      `json:"unable,omitempty"`
}

// who is what rows are counted by.
type who struct {
	a, b   netip.Addr
	number uint32
	kind   uint8 // of number: bits beyond the address family's, such as the protocol
	id     string
}

// keyOf returns what a flow counts for; a second one where it counts for both sides.
func (q *Top) keyOf(f *Flow) (first, second who, both bool) {
	switch q.By {
	case "src":
		first.a = f.Src
	case "dst":
		first.a = f.Dst
	case "host":
		return who{a: f.Src}, who{a: f.Dst}, f.Src != f.Dst
	case "pair":
		first.a, first.b = f.Src, f.Dst
	case "port":
		first.kind, first.number = f.Proto, 1<<16
		if f.Has(Ports) {
			first.number = uint32(f.service())
		}
	case "proto":
		first.kind = f.Proto
	case "in":
		first.number = f.In
	case "out":
		first.number = f.Out
	case "id":
		first.id = f.Instance
	case "srcnet":
		first.a = network(f.Src)
	case "dstnet":
		first.a = network(f.Dst)
	}
	return first, second, false
}

// network returns the /24 or, of IPv6, the /64 that an address is in.
func network(a netip.Addr) netip.Addr {
	p, _ := a.Prefix(bitsOf(a)) // such lengths there are
	return p.Addr()
}

func bitsOf(a netip.Addr) int {
	if a.Is4() {
		return 24
	}
	return 64
}

// name writes what rows are counted by. Interfaces have names where nameOf knows them.
func (q *Top) name(w who, nameOf func(index uint32) string) string {
	switch q.By {
	case "pair":
		return w.a.String() + " -> " + w.b.String()
	case "port":
		if w.number == 1<<16 {
			return ProtoName(w.kind)
		}
		return ProtoName(w.kind) + "/" + strconv.FormatUint(uint64(w.number), 10)
	case "proto":
		return ProtoName(w.kind)
	case "in", "out":
		if w.number == 0 {
			return "unknown"
		}
		return nameOf(w.number)
	case "id":
		return w.id
	case "srcnet", "dstnet":
		return w.a.String() + "/" + strconv.Itoa(bitsOf(w.a))
	}
	return w.a.String()
}

// Others is the name of the row of what had no room of its own.
const Others = "(others)"

// tally adds up flows for one question.
type tally struct {
	*Top
	rows   map[who]*Row
	others Row
	all    Row
}

func newTally(q *Top) *tally { return &tally{Top: q, rows: map[who]*Row{}} }

// add counts a flow, whose counters are what it has gained.
func (t *tally) add(f *Flow) {
	t.all.add(f)
	first, second, both := t.keyOf(f)
	t.row(first).add(f)
	if both {
		t.row(second).add(f)
	}
}

func (t *tally) row(w who) *Row {
	r := t.rows[w]
	if r == nil {
		if len(t.rows) >= topKeys {
			return &t.others
		}
		r = &Row{}
		t.rows[w] = r
	}
	return r
}

func (r *Row) add(f *Flow) {
	r.Octets += f.AllOctets()
	r.Packets += f.AllPackets()
	r.Flows++
	if !f.Has(Counters) {
		r.Unknown++
	}
}

// result sorts what was added up. Rows that are equal keep an order of their own.
func (t *tally) result(nameOf func(uint32) string) (res Result) {
	type entry struct {
		who
		*Row
	}
	rows := newBest(t.Limit, func(x, y *entry) int {
		if n := cmp.Or(cmp.Compare(t.amount(y.Row), t.amount(x.Row)), cmp.Compare(y.Octets, x.Octets),
			cmp.Compare(y.Flows, x.Flows)); n != 0 {
			return n
		}
		return cmp.Or(x.a.Compare(y.a), x.b.Compare(y.b), cmp.Compare(x.kind, y.kind), cmp.Compare(x.number, y.number),
			cmp.Compare(x.id, y.id))
	})
	for w, r := range t.rows {
		rows.add(&entry{w, r})
	}
	for _, e := range rows.first() {
		e.Name = t.name(e.who, nameOf)
		res.Rows = append(res.Rows, *e.Row)
	}
	if t.others.Flows > 0 {
		t.others.Name = Others
		res.Rows = append(res.Rows, t.others)
	}
	res.All, res.At = t.all, time.Now()
	return res
}

func (t *tally) amount(r *Row) uint64 {
	switch t.Order {
	case "packets":
		return r.Packets
	case "flows":
		return r.Flows
	}
	return r.Octets
}

// Ask answers at once, from the counters of the flows that live, whatever the window. A [Meter]
// answers over a window.
func (q *Top) Ask(ctx context.Context, m *engine.Machine) (Result, error) {
	s := NewSurvey(&Flows{match: q.match}, q)
	if err := s.Ask(ctx, m); err != nil {
		return Result{}, err
	}
	return s.Tops()[0], nil
}
