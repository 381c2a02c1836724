// One look at all live flows, for everything that the page shows of them: who has the most octets,
// who sends to whom, and the first flows in an order.
//
// A look takes its share of a processor and no more, however many look on: the next begins only
// when the last one's cost is a small part of the time since.

package page

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ulogd/engine/question"
)

const (
	// surveyShare is the part of a processor that looks take: one in so many.
	surveyShare = 80
	surveyEvery = time.Second
	surveyLate  = 15 * time.Second // no look is put off longer
	// topRows and pairRows are how many are shown of each, topKeys how many are told apart.
	topRows, pairRows = 10, 10
	topKeys           = 1 << 17
	mostFlows         = 20_000
)

// pacer spaces looks.
type pacer struct {
	mu   sync.Mutex
	next time.Time
}

// do waits until it is time, and then has f look.
func (p *pacer) do(ctx context.Context, f func()) (again time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-time.After(time.Until(p.next)):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	began := time.Now()
	f()
	again = min(max(surveyEvery, surveyShare*time.Since(began)), surveyLate)
	p.next = time.Now().Add(again)
	return again, nil
}

// survey is what one look gathers.
type survey struct {
	order                  func(a, b *question.Flow) int
	limit                  int
	sorted                 bool // the first limit of best are
	best                   []question.Flow
	hosts                  [2]map[netip.Addr]uint64 // octets, by source and by destination
	pairs                  map[[2]netip.Addr]uint64
	ports                  map[port]uint64
	protos                 [256]uint64
	interfaces             [2]map[uint32]uint64
	flows, octets, packets uint64
}

type port struct {
	proto  uint8
	number uint16
}

var flowOrders = map[string]func(a, b *question.Flow) int{
	"octets":  func(a, b *question.Flow) int { return cmp.Compare(b.AllOctets(), a.AllOctets()) },
	"packets": func(a, b *question.Flow) int { return cmp.Compare(b.AllPackets(), a.AllPackets()) },
	"start":   func(a, b *question.Flow) int { return cmp.Compare(b.Start, a.Start) },
	"last":    func(a, b *question.Flow) int { return cmp.Compare(b.Last, a.Last) },
}

func newSurvey(order func(a, b *question.Flow) int, limit int) *survey {
	return &survey{
		order: order, limit: limit, pairs: map[[2]netip.Addr]uint64{}, ports: map[port]uint64{},
		hosts:      [2]map[netip.Addr]uint64{{}, {}},
		interfaces: [2]map[uint32]uint64{{}, {}},
	}
}

// add counts a flow.
func (s *survey) add(f *question.Flow) error {
	n := f.AllOctets()
	s.flows++
	s.octets += n
	s.packets += f.AllPackets()
	count(s.hosts[0], f.Src, n)
	count(s.hosts[1], f.Dst, n)
	count(s.pairs, [2]netip.Addr{f.Src, f.Dst}, n)
	if f.Has(question.Ports) {
		count(s.ports, port{f.Proto, f.Dport}, n)
	}
	s.protos[f.Proto] += n
	if f.Has(question.In) && f.In != 0 {
		count(s.interfaces[0], f.In, n)
	}
	if f.Has(question.Out) && f.Out != 0 {
		count(s.interfaces[1], f.Out, n)
	}
	if s.limit > 0 {
		if len(s.best) == 2*s.limit || len(s.best) == s.limit && !s.sorted {
			s.trim()
			s.sorted = true
		}
		// What is behind the last of those that are sorted cannot come among the first.
		if !s.sorted || s.order(f, &s.best[s.limit-1]) < 0 {
			s.best = append(s.best, *f)
		}
	}
	return nil
}

// trim keeps the first of the flows that were added.
func (s *survey) trim() {
	slices.SortStableFunc(s.best, func(a, b question.Flow) int { return s.order(&a, &b) })
	s.best = s.best[:min(len(s.best), s.limit)]
}

// count adds octets; what would be one key too many is not told apart.
func count[K comparable](m map[K]uint64, k K, n uint64) {
	if old, ok := m[k]; ok || len(m) < topKeys {
		m[k] = old + n
	}
}

// row is a bar: what it is called, its octets, and the word that filters for it.
type row struct {
	Name   string `json:"name"`
	Word   string `json:"word,omitempty"`
	Octets uint64 `json:"octets"`
}

type pair struct {
	Src    netip.Addr `json:"src"`
	Dst    netip.Addr `json:"dst"`
	Octets uint64     `json:"octets"`
}

// first returns the keys with the most octets.
func first[K comparable](m map[K]uint64, most int, name func(K) string) (keys []K) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b K) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(name(a), name(b))) })
	return keys[:min(len(keys), most)]
}

func rows[K comparable](m map[K]uint64, name, word func(K) string) (list []row) {
	for _, k := range first(m, topRows, name) {
		list = append(list, row{name(k), word(k), m[k]})
	}
	return list
}

// tops are the bars.
func (s *survey) tops() map[string][]row {
	address := func(a netip.Addr) string { return a.String() }
	protos := map[uint8]uint64{}
	for p, n := range s.protos {
		if n > 0 {
			protos[uint8(p)] = n
		}
	}
	device := func(i uint32) string {
		if d, err := net.InterfaceByIndex(int(i)); err == nil {
			return d.Name
		}
		return "interface " + strconv.FormatUint(uint64(i), 10)
	}
	none := func(uint32) string { return "" }
	return map[string][]row{
		"src": rows(s.hosts[0], address, func(a netip.Addr) string { return "src=" + a.String() }),
		"dst": rows(s.hosts[1], address, func(a netip.Addr) string { return "dst=" + a.String() }),
		"port": rows(s.ports,
			func(p port) string {
				return question.ProtoName(p.proto) + "/" + strconv.FormatUint(uint64(p.number), 10)
			},
			func(p port) string { return "port=" + strconv.FormatUint(uint64(p.number), 10) }),
		"proto": rows(protos, question.ProtoName, func(p uint8) string { return "proto=" + strconv.Itoa(int(p)) }),
		"in":    rows(s.interfaces[0], device, none),
		"out":   rows(s.interfaces[1], device, none),
	}
}

func (s *survey) largestPairs() (list []pair) {
	for _, k := range first(s.pairs, pairRows, func(k [2]netip.Addr) string { return k[0].String() + " " + k[1].String() }) {
		if n := s.pairs[k]; n > 0 {
			list = append(list, pair{k[0], k[1], n})
		}
	}
	return list
}

// flows answers what is asked for: words of a filter, an order, and how many.
func (p *Page) flows(rw http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	order := flowOrders[v.Get("sort")]
	limit, err := strconv.Atoi(v.Get("limit"))
	if order == nil || err != nil || limit < 0 || limit > mostFlows {
		http.Error(rw, fmt.Sprintf("sort is one of octets, packets, start and last, limit at most %d", mostFlows), http.StatusBadRequest)
		return
	}
	q, err := question.ParseFlows(strings.Fields(v.Get("words")))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	q.Sort, q.Limit = "", -1
	var text []byte
	var failed error
	again, err := p.pace.do(r.Context(), func() {
		s := newSurvey(order, limit)
		sum, askErr := q.Ask(r.Context(), p.Machine, s.add)
		if failed = askErr; failed == nil {
			text, failed = s.answer(sum.Unable)
		}
	})
	switch err = errors.Join(err, failed); {
	case r.Context().Err() != nil:
	case err != nil:
		http.Error(rw, err.Error(), http.StatusServiceUnavailable)
	default:
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw, `{"again":%d,`, again.Milliseconds())
		rw.Write(text[1:])
	}
}

// answer writes what was gathered as JSON.
func (s *survey) answer(unable []string) ([]byte, error) {
	s.trim()
	text, err := json.Marshal(map[string]any{
		"at": time.Now(), "unable": unable, "tops": s.tops(), "pairs": s.largestPairs(),
		"all": map[string]uint64{"flows": s.flows, "octets": s.octets, "packets": s.packets},
	})
	if err != nil {
		return nil, err
	}
	text = append(text[:len(text)-1], `,"flows":[`...)
	for i := range s.best {
		if i > 0 {
			text = append(text, ',')
		}
		f := &s.best[i]
		text = f.AppendJSON(text)
		text = append(text[:len(text)-1], `,"proto_name":"`...)
		text = append(append(text, question.ProtoName(f.Proto)...), `"}`...)
	}
	return append(text, "]}"...), nil
}
