package question

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestMatches(t *testing.T) {
	for words, want := range map[string]bool{
		"": true, "proto=udp": true, "proto=17": true, "proto=tcp": false, "port=53": true, "port=1000": true, "port=1": false,
		"src=192.0.2.0/24": true, "src=192.0.2.9": false, "dst=198.51.100.7": true, "addr=198.51.100.7": true, "addr=192.0.2.1": true, "addr=2001:db8::/32": false,
		"src=192.0.2.1 dst=192.0.2.1": false,
	} {
		q, err := Parse(strings.Fields(words))
		if err != nil {
			t.Fatal(err)
		}
		if got := q.Matches(17, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.7"), 1000, 53); got != want {
			t.Errorf("%q: %v", words, got)
		}
	}
}

func TestBadQuestions(t *testing.T) {
	for _, words := range []string{"colour=red", "proto=x", "src=1.2.3", "dst=1.2.3.4/40", "sort=name", "tcp"} {
		if _, err := Parse([]string{words}, "octets"); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", words, err)
		}
	}
}

func TestSortedAnswersAreBounded(t *testing.T) {
	if q, err := Parse([]string{"sort=octets"}, "octets"); err != nil || q.Limit != 1000 {
		t.Errorf("%+v, %v", q, err)
	}
	for _, n := range []int{0, 5, 20, 1000} {
		numbers := rand.Perm(n)
		got := First(10, cmp.Compare[int], slices.Values(numbers))
		slices.Sort(numbers)
		if !slices.Equal(got, numbers[:min(n, 10)]) {
			t.Errorf("the first of %d are %v", n, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("proto=tcp src=10.0.0.0/8 sort=octets limit=5")
	f.Fuzz(func(t *testing.T, text string) {
		if q, err := Parse(strings.Fields(text), "octets"); err == nil {
			q.Matches(6, netip.Addr{}, netip.Addr{}, -1, -1)
		}
	})
}
