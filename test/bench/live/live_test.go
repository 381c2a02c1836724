package main

import (
	"testing"

	"ulogd/test/bench/measure"
	"ulogd/test/nstest"
)

var daemon nstest.Daemon

func TestMain(m *testing.M) { daemon.Main(m) }

// A small step of each scene: at a slow pace everything arrives, and nobody says otherwise. A daemon
// that stands still while more is sent than the kernel's buffers hold has lost what is missing at the
// sink, to the packet.
func TestScenes(t *testing.T) {
	nstest.Need(t, "root", "veth", "nflog", "nf_conntrack", "tool:taskset", "tool:softflowd", "tool:pmacctd", "tool:ulogd")
	ulogd2, err := measure.FindUlogd2()
	if err != nil {
		t.Skip(err)
	}
	const slow = 1000
	tooMany := map[string]int{"flows": 300_000, "nflog-64": 100_000, "nfct": 30_000}
	for _, s := range scenes(daemon.Path(t), ulogd2) {
		if tooMany[s.name] == 0 { // nflog-1 differs in a number
			continue
		}
		for _, p := range s.programs {
			t.Run(s.name+"/"+p.name, func(t *testing.T) {
				t.Parallel()
				got := s.step(t, p, slow, 1)
				if got.lost() != 0 || p.ours && got.Own != 0 {
					t.Errorf("of %d %ss %d are lost, by its own count %d", got.Sent, s.unit, got.lost(), got.Own)
				}
				if got.Nanos <= 0 || got.P50 <= 0 || got.P99 < got.P50 {
					t.Errorf("implausible: %+v", got)
				}
			})
			if !p.ours {
				continue
			}
			p.held = true
			t.Run(s.name+"/held", func(t *testing.T) {
				t.Parallel()
				got := s.step(t, p, tooMany[s.name], 1)
				if got.lost() <= 0 || got.lost() != got.Own {
					t.Errorf("of %d %ss %d are lost, by its own count %d", got.Sent, s.unit, got.lost(), got.Own)
				}
			})
		}
	}
}
