package nfct

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ulogd/engine/key"
)

func TestLiveConnectionsAreListed(t *testing.T) {
	s := play(t, func(set *settings) { set.hashMax = 20_000 })
	for i := range uint32(10) {
		s.send(udp(key.EventNew, i))
	}
	ping := samples[3]
	ping.event = key.EventNew
	s.send(udp(key.EventDestroy, 4), ping)
	ask := func(words string) (lines []string, err error) {
		err = s.machine.Query("", "flows", strings.Fields(words), func(line []byte) { lines = append(lines, string(line)) })
		return lines, err
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if lines, err := ask(""); err == nil && len(lines) == 10 {
			break
		} else if time.Now().After(end) {
			t.Fatalf("%v: %q", err, lines)
		}
	}
	for words, want := range map[string]int{"proto=udp": 9, "port=53 limit=3": 3, "sort=octets limit=2": 2, "src=192.0.2.1": 9, "proto=icmpv6": 1, "port=128": 0} {
		if lines, err := ask(words); err != nil || len(lines) != want {
			t.Errorf("%s: %v, %q", words, err, lines)
		}
	}
	if lines, _ := ask("proto=icmpv6"); len(lines) != 1 || !strings.Contains(lines[0], "type=128 code=0") || !strings.Contains(lines[0], "zone=") {
		t.Errorf("%q", lines)
	}
	for _, words := range []string{"sort=end", "x"} {
		if _, err := ask(words); err == nil {
			t.Errorf("%s: no error", words)
		}
	}
	if err := s.machine.Query("", "stars", nil, func([]byte) {}); err == nil {
		t.Error("NFCT knows of stars")
	}
}

func TestManyLiveConnectionsAreListedOnce(t *testing.T) {
	const n = 3*chunkEntries + 7
	tab := newTable(n, newHasher())
	for i := range n {
		tab.entries.at(tab.insert(some(i), int64(i+1))).sent = counters{uint64(n - i), uint64(i)}
	}
	instance := &nfct{table: tab}
	for words, want := range map[string]int{"": n, "limit=5000": 5000, "limit=0": 0, "sort=octets limit=9": 9} {
		var lines []string
		for from := int64(0); from >= 0; {
			var err error
			if from, err = instance.Query("flows", strings.Fields(words), from, func(line []byte) { lines = append(lines, string(line)) }); err != nil {
				t.Fatal(err)
			}
		}
		if words == "sort=octets limit=9" && !strings.Contains(lines[1], fmt.Sprintf(" packets=2 octets=%d ", n-2)) {
			t.Errorf("the second is %q", lines[1])
		}
		if slices.Sort(lines); len(lines) != want || len(slices.Compact(lines)) != want {
			t.Errorf("%q: %d lines, want %d", words, len(lines), want)
		}
	}
}
