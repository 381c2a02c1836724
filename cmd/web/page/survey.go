// One look at all live flows, for everything that the page shows of them: who has the most octets,
// who sends to whom, and the first flows in an order.
//
// A look takes its share of a processor and no more, however many look on: the next begins only
// when the last one's cost is a small part of the time since.

package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ulogd/engine/question"
)

const (
	// surveyShare is the part of a processor that looks take: one in so many. With the parts of counters and of the
	// meter, and what Go's collector adds, a viewer costs less than 2 %.
	surveyShare       = 160
	surveyEvery       = time.Second
	surveyLate        = 15 * time.Second // no look is put off longer
	countersShare     = 250              // the part that reading counters from the kernel takes
	topRows, pairRows = 10, 10           // how many are shown of each
	mostFlows         = 20_000
)

// pacer spaces looks.
type pacer struct {
	mu   sync.Mutex
	next time.Time
}

// do waits until it is time, and then has f look, which says what it cost.
func (p *pacer) do(ctx context.Context, f func() (cost time.Duration)) (again time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-time.After(time.Until(p.next)):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	again = min(max(surveyEvery, surveyShare*f()), surveyLate)
	p.next = time.Now().Add(again)
	return again, nil
}

// bars are what is summed up, by what question.Top calls it, and the word that filters for a row.
var bars = []struct {
	by   string
	word func(name string) string
}{
	{"src", func(name string) string { return "src=" + name }},
	{"dst", func(name string) string { return "dst=" + name }},
	{"port", func(name string) string { return "port=" + name[strings.IndexByte(name, '/')+1:] }},
	{"proto", func(name string) string { return "proto=" + name }},
	{"in", func(name string) string { return "in=" + name }},
	{"out", func(name string) string { return "out=" + name }},
	{"id", func(name string) string { return "id=" + name }},
}

// topsOf are the questions for the bars, and for the pairs behind them.
func topsOf(like question.Top) (tops []*question.Top) {
	like.Order, like.Limit = "octets", 2*topRows // of ports and interfaces there are rows for flows that have none
	for _, b := range bars {
		q := like
		q.By = b.by
		tops = append(tops, &q)
	}
	like.By, like.Limit = "pair", pairRows
	return append(tops, &like)
}

// row is a bar: what it is called, its octets, and the word that filters for it.
type row struct {
	Name   string `json:"name"`
	Word   string `json:"word,omitempty"`
	Octets uint64 `json:"octets"`
}

type pair struct {
	Src    string `json:"src"`
	Dst    string `json:"dst"`
	Octets uint64 `json:"octets"`
}

// rowsOf are a top's, less those of flows that have no port or whose interface nobody knows.
func rowsOf(by string, res question.Result, word func(string) string) (list []row) {
	for _, r := range res.Rows {
		if by == "port" && !strings.Contains(r.Name, "/") || r.Name == "unknown" || r.Name == question.Others {
			continue
		}
		name := r.Name
		if _, err := strconv.Atoi(name); err == nil && (by == "in" || by == "out") { // one that is not here any more
			name = "interface " + name
		}
		if list = append(list, row{name, word(r.Name), r.Octets}); len(list) == topRows {
			break
		}
	}
	return list
}

func pairsOf(res question.Result) (list []pair) {
	for _, r := range res.Rows {
		if src, dst, ok := strings.Cut(r.Name, " -> "); ok && r.Octets > 0 {
			list = append(list, pair{src, dst, r.Octets})
		}
	}
	return list
}

// flows answers what is asked for: words of a filter, an order, and how many.
func (p *Page) flows(rw http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	limit, err := strconv.Atoi(v.Get("limit"))
	if !slices.Contains(question.Orders, v.Get("sort")) || err != nil || limit < 0 || limit > mostFlows {
		http.Error(rw, fmt.Sprintf("sort is one of %s, limit at most %d", strings.Join(question.Orders, ", "), mostFlows),
			http.StatusBadRequest)
		return
	}
	q, err := question.ParseFlows(strings.Fields(v.Get("words")))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	q.Sort, q.Limit, q.Share = v.Get("sort"), limit, countersShare
	var text []byte
	var failed error
	again, err := p.pace.do(r.Context(), func() time.Duration {
		s := question.NewSurvey(q, topsOf(question.Top{})...)
		if failed = s.Ask(r.Context(), p.Machine); failed != nil {
			return s.Took
		}
		began := time.Now()
		text, failed = answerOf(s)
		return s.Took + time.Since(began)
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

// talkers are the bars, the pairs, and all together.
func talkers(all []question.Result) map[string]any {
	tops, sum := map[string][]row{}, all[0].All
	for i, b := range bars {
		tops[b.by] = rowsOf(b.by, all[i], b.word)
	}
	return map[string]any{
		"tops": tops, "pairs": pairsOf(all[len(bars)]),
		"all": map[string]uint64{"flows": sum.Flows, "octets": sum.Octets, "packets": sum.Packets},
	}
}

// answerOf writes what was gathered as JSON.
func answerOf(s *question.Survey) ([]byte, error) {
	answer := talkers(s.Tops())
	answer["at"], answer["counted"], answer["unable"] = time.Now(), s.At, s.Unable
	text, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	text = append(text[:len(text)-1], `,"flows":[`...)
	for i, f := range s.First() {
		if i > 0 {
			text = append(text, ',')
		}
		text = f.AppendJSON(text)
		text = append(text[:len(text)-1], `,"proto_name":"`...)
		text = append(append(text, question.ProtoName(f.Proto)...), `"}`...)
	}
	return append(text, "]}"...), nil
}
