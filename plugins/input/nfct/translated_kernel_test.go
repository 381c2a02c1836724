package nfct_test

import (
	"strings"
	"testing"
	"time"
)

// TestTranslatedOnly: of all connections, those that rules translate are told; the others are counted.
func TestTranslatedOnly(t *testing.T) {
	for _, settings := range []string{"", "hash_enable = false\nevent_mask = 4", "hash_enable = false\nevent_mask = 7"} {
		ns := tracked(t)
		ns.Nft(t, "table inet nat { chain o { type nat hook output priority -100; "+
			"tcp dport 8080 dnat ip to 127.0.0.1:8081; }; }")
		d := start(t, ns, t.Name(), "translated_only = true\n"+settings, "extra_keys = true")
		events := ns.Start(t, "conntrack -E -e DESTROY")
		events.WaitSubscribed(time.Minute)
		tcpEcho(t, ns, "127.0.0.1:0", 500)
		udpPing(t, ns, "127.0.0.1:0", 100, 200)
		translated(t, ns)
		lines(t, ns, events, "[DESTROY]", 3)
		ours := collect(t, d, t.Name(), 1)
		d.Stop()
		s := d.Stats("ct1")
		if others := d.Count("ct1", "not_translated"); others < 2 || s.Filtered < others {
			t.Errorf("%s: %d others, %+v", settings, others, s)
		}
		for _, line := range ours {
			if !strings.Contains(line, "orig.l4.dport=8080 ") || !strings.Contains(line, "reply.l4.sport=8081 ") {
				t.Errorf("%s: %q", settings, line)
			}
		}
	}
}
