package page

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/engine/question"
)

// TestSurveyKeepsTheFirst compares what is kept of many flows with a sort of all.
func TestSurveyKeepsTheFirst(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, limit := range []int{0, 1, 7, 100, 5000} {
		s := question.NewSurvey(&question.Flows{Sort: "octets", Limit: limit}, topsOf(question.Top{})...)
		s.Unable = []string{"ct1 is down"}
		var all []uint64
		for range 3000 {
			f := question.Flow{
				Known: question.Counters | question.Ports, Proto: 6, Octets: r.Uint64N(1 << 40), Dport: uint16(r.IntN(50)),
				Src: netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(30))}), Dst: netip.AddrFrom4([4]byte{10, 1, 0, byte(r.IntN(3))}),
			}
			all = append(all, f.Octets)
			s.Add(&f)
		}
		text, err := answerOf(s)
		if err != nil {
			t.Fatal(err)
		}
		var a struct {
			Flows  []struct{ Octets uint64 }
			Tops   map[string][]row
			Pairs  []pair
			All    map[string]uint64
			Unable []string
		}
		if err := json.Unmarshal(text, &a); err != nil {
			t.Fatal(err)
		}
		slices.Sort(all)
		slices.Reverse(all)
		if len(a.Flows) != min(limit, len(all)) || a.All["flows"] != 3000 || len(a.Unable) != 1 {
			t.Fatalf("limit %d: %d flows of %d", limit, len(a.Flows), a.All["flows"])
		}
		for i, f := range a.Flows {
			if f.Octets != all[i] {
				t.Fatalf("limit %d: flow %d has %d octets, want %d", limit, i, f.Octets, all[i])
			}
		}
		if len(a.Tops["src"]) != topRows || len(a.Tops["dst"]) != 3 || len(a.Tops["proto"]) != 1 ||
			a.Tops["proto"][0].Octets != a.All["octets"] ||
			len(a.Pairs) != pairRows || !strings.HasPrefix(a.Tops["port"][0].Name, "tcp/") {
			t.Errorf("limit %d: %v, %v", limit, a.Tops, a.Pairs)
		}
	}
}

func TestHourIsARing(t *testing.T) {
	var s series
	began := time.UnixMilli(1_000_000)
	for i := range samples + 10 {
		s.add(began.Add(time.Duration(i)*sampleEvery),
			[]engine.Snapshot{{
				Kind: "input", Made: int64(i),
				Counters: []engine.Reading{{Name: "file_octets", Value: int64(2 * i)}},
			}})
	}
	h := s.read()
	if len(h.Times) != samples || h.Times[0] != began.Add(10*sampleEvery).UnixMilli() || !slices.IsSorted(h.Times) {
		t.Fatalf("%d samples from %d on", len(h.Times), h.Times[0])
	}
	if x := h.Instances[0]; x["records"][0] != 10 || x["records"][samples-1] != int64(samples+9) || x["octets"][0] != 20 {
		t.Errorf("the first is %d, the last %d", x["records"][0], x["records"][samples-1])
	}
}

// TestLooksArePaced: whoever asks sooner waits, and one who has gone costs nothing.
func TestLooksArePaced(t *testing.T) {
	var p pacer
	again, err := p.do(t.Context(), func() time.Duration { return 20 * time.Millisecond })
	if err != nil || again != 20*time.Millisecond*surveyShare {
		t.Errorf("again after %v, %v", again, err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.do(gone, func() time.Duration { t.Error("it looks for who has gone"); return 0 }); err == nil {
		t.Error("no error")
	}
	p.next = time.Time{}
	if again, _ := p.do(t.Context(), func() time.Duration { return 0 }); again != surveyEvery {
		t.Errorf("after a look that costs nothing the next is in %v", again)
	}
}

// The scripts make text of whatever they are told: nothing in them parses markup, and the documents
// have neither scripts nor styles in them, which the policy would refuse.
func TestNothingIsTakenForMarkup(t *testing.T) {
	files, err := embedded.ReadDir("assets")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := embedded.ReadFile("assets/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{
			"innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "new Function",
			"DOMParser", "javascript:", "http://", "https://", "@import", "<style", " style=\"", " onclick=\"",
		} {
			if strings.Contains(strings.ReplaceAll(string(text), "http://www.w3.org/2000/svg", ""), word) {
				t.Errorf("%s has %q", f.Name(), word)
			}
		}
	}
	if len(files) < 8 {
		t.Errorf("%d files are embedded", len(files))
	}
}

// TestLossesAreOfWhatIsCounted: an output that makes two records of one and loses both loses all, not twice as many as
// there are.
func TestLossesAreOfWhatIsCounted(t *testing.T) {
	x := engine.Snapshot{Kind: engine.OutputKind.String(), In: 100, Made: 100, Dropped: 200}
	if s := sampleOf(&x); s.records != 200 || s.lost != 200 {
		t.Errorf("%+v", s)
	}
	x = engine.Snapshot{Kind: engine.FilterKind.String(), In: 100, Made: 7, Absorbed: 90, Dropped: 10}
	if s := sampleOf(&x); s.records != 100 || s.lost != 10 { // what FLOW makes, it makes of what went in
		t.Errorf("%+v", s)
	}
}
