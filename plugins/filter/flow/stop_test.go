package flow

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/engine/question"
	"ulogd/engine/value"
	. "ulogd/test/packettest"
	"ulogd/test/stacktest"
)

// A stop in the middle of a file loses nothing: every packet read until then is in a record.
func TestStopInTheMiddleOfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (Trace{Packets: 300000, Flows: 40000}).Write(f); err != nil {
		t.Fatal(err)
	}
	f.Close()
	for _, workers := range []string{"1", "3"} {
		plugin, _ := engine.Default.Lookup(engine.InputKind, "PCAP")
		base, _ := engine.Default.Lookup(engine.FilterKind, "BASE")
		in, out := engine.NewInstance(plugin, "p"), &keeper{}
		o, _ := in.Options.Lookup("file")
		// The file many times over, so that the end is far away.
		if _, err := o.Set(engine.Value{Kind: value.Word, Text: strings.Repeat(path+",", 50)}); err != nil {
			t.Fatal(err)
		}
		if err := in.Validate(); err != nil {
			t.Fatal(err)
		}
		m := stack(t, in, engine.NewInstance(base, "b"), flowInstance(t, []string{"workers=" + workers}), stacktest.Instance(engine.OutputKind, out))
		if err := m.Open(); err != nil {
			t.Fatal(err)
		}
		m.Start()
		for in.Stats.Made.Load() < 1000 {
			time.Sleep(time.Millisecond)
		}
		m.Stop(10 * time.Second)
		if err := m.Wait(); err != nil {
			t.Fatal(err)
		}
		packets := 0
		for _, r := range out.records {
			n, _ := strconv.Atoi(r["orig.raw.pktcount"])
			packets += n
		}
		if read := int(in.Stats.Made.Load()); packets != read || read == 50*300000 {
			t.Errorf("%s workers: %d packets read, %d in records", workers, read, packets)
		}
	}
}

// held is a live feed that stays after its last packet until it is let go.
type held struct {
	*feed
	done chan struct{}
}

func (h *held) Read(b *engine.Batch, deadline time.Time) error {
	if len(h.packets) > 0 {
		h.feed.Read(b, deadline)
		return nil
	}
	select {
	case <-h.done:
		return io.EOF
	case <-time.After(time.Until(deadline)):
		return nil
	}
}

// `ulogd flows` lists what is live, with a filter, in an order, while packets come.
func TestQuery(t *testing.T) {
	in := &held{&feed{live: true}, make(chan struct{})}
	for i := range 5000 {
		in.packets = append(in.packets, udp(float64(i)/1000, uint16(i+1), 53, i%1000))
	}
	in.packets = append(in.packets, tcp(6, SYN), tcp(6, ACK), at(6, IPv6{}, ICMPv6{Type: 128}))
	m := build(t, in, &keeper{}, "max_flows=100000")
	if err := m.Open(); err != nil {
		t.Fatal(err)
	}
	m.Start()
	ask := func(words string) (flows []string) {
		q, err := question.ParseFlows(strings.Fields(words))
		if err != nil {
			t.Fatal(err)
		}
		sum, err := q.Ask(t.Context(), m, func(f *question.Flow) error {
			flows = append(flows, string(f.AppendJSON(nil)))
			return nil
		})
		if err != nil || len(sum.Unable) > 0 {
			t.Fatal(err, sum)
		}
		return flows
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if flows := ask(""); len(flows) == 5002 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%d flows", len(flows))
		}
	}
	for _, c := range []struct {
		words string
		flows int
		first string
	}{
		{"proto=tcp", 1, `{"id":"f","proto":6,"src":"192.0.2.1","dst":"192.0.2.2","sport":1000,"dport":80,"packets":2,"octets":80,"start":"2024-05-01T12:00:06.000Z","last":"2024-05-01T12:00:06.000Z","tcp_flags":18}`},
		{"src=2001:db8::/32", 1, `{"id":"f","proto":58,"src":"2001:db8::1","dst":"2001:db8::2","icmp_type":128,"icmp_code":0,"packets":1,"octets":48,"start":"2024-05-01T12:00:06.000Z","last":"2024-05-01T12:00:06.000Z"}`},
		{"port=17", 1, `{"id":"f","proto":17,"src":"192.0.2.1","dst":"192.0.2.2","sport":17,"dport":53,"packets":1,"octets":44,`},
		{"addr=192.0.2.2 limit=7", 7, `{"id":"f","proto":17`},
		{"sort=octets limit=3", 3, `{"id":"f","proto":17,"src":"192.0.2.1","dst":"192.0.2.2","sport":`},
		{"sort=packets limit=1", 1, `{"id":"f","proto":6,`},
		{"dst=10.0.0.0/8", 0, ""},
		{"sort=packets", 1000, `{"id":"f","proto":6,`},
	} {
		flows := ask(c.words)
		if len(flows) != c.flows || c.flows > 0 && !strings.HasPrefix(flows[0], c.first) {
			t.Errorf("%s: %d flows, first %s", c.words, len(flows), slices.Concat(flows, []string{""})[0])
		}
		if c.words == "sort=octets limit=3" && !strings.Contains(flows[2], `"octets":1027,`) {
			t.Errorf("%s: %s", c.words, flows)
		}
	}
	close(in.done)
	if err := m.Wait(); err != nil {
		t.Fatal(err)
	}
}
