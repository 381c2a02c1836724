// `ulogd flows`: the live flows and connections of the running daemon.

package cmd

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ulogd/engine/human"
	"ulogd/engine/key"
	"ulogd/engine/question"
)

func flowsCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "flows",
		Short: "live flows and connections of the running daemon",
		Long: `flows lists the flows that FLOW holds and the connections that NFCT knows. Words choose among them:
  proto=P             protocol: tcp, udp, icmp, icmpv6, sctp ... or a number
  src=A, dst=A        address or network of the source, of the destination
  addr=A              of either side
  port=N              of either side
  in=I, out=I, if=I   interface, by name or number, that the flow came in by, left by, either
  id=ID               of that FLOW or NFCT: two that see the same packets both tell of them
  sort=O              octets or packets of both directions, the most first; start or last, the latest first
  limit=N             no more than that many; 1000 where they are sorted
A value that nobody knows is "-". Counters of connections are read from the kernel for whoever asks; in a table of a
million they may be some seconds old. JSON is an object on each line, as the flows come; its member counted says of
when the counters are, if not of just now.
` + found,
		Example: `  ulogd flows proto=tcp port=443
  ulogd flows --watch
  ulogd flows --json addr=192.0.2.0/24 | jq .octets`,
		ValidArgsFunction: begun(wordsFrom([]string{
			"proto=", "src=", "dst=", "addr=", "port=", "if=", "in=", "out=", "id=",
			"sort=", "limit=",
		},
			map[string][]string{"sort": question.Orders, "proto": {"tcp", "udp", "icmp", "icmpv6", "sctp"}})),
	}
	askOptions(c, o, "print the flows")
	c.Flags().BoolVar(&o.services, "services", false, "print ports by the names of their services (/etc/services)")
	does(c, o, "[WORD ...]", flows)
	return c
}

func flows(o *options, stdout, stderr io.Writer) int {
	l := &flowList{o: o, rates: map[string]seen{}}
	if o.services {
		l.services = servicesOf("/etc/services")
	}
	if _, err := question.ParseFlows(o.words); err != nil {
		return report(err, stderr)
	}
	return watch(o, stdout, stderr, func(s *screen) error { return l.show(s, stderr) })
}

// flowList prints flows, time and again.
type flowList struct {
	o        *options
	services map[string]string
	rates    map[string]seen // what was shown last time
	now      time.Time
	shown    int
}

// seen is what a flow had counted at a time, and at which rate.
type seen struct {
	octets uint64
	at     time.Time
	rate   string
}

// rate is how many octets a second a flow has had since it was last shown. Of one that was not counted
// again it is what it was.
func (l *flowList) rate(f *question.Flow, old seen, known bool) seen {
	now := seen{f.AllOctets(), l.now, "-"}
	if f.Counted != 0 {
		now.at = time.Unix(0, int64(f.Counted))
	}
	switch seconds := now.at.Sub(old.at).Seconds(); {
	case !known || now.octets < old.octets:
	case seconds <= 0:
		now.rate = old.rate
	default:
		now.rate = human.Rate(float64(now.octets-old.octets) / seconds)
	}
	return now
}

func (l *flowList) show(s *screen, stderr io.Writer) error {
	words := append([]string{"flows"}, l.o.words...)
	if l.o.watch {
		words = append(words, l.defaults(s)...)
	}
	socket, err := l.o.find()
	if err != nil {
		return err
	}
	l.now = time.Now()
	each, done := l.table(s)
	switch {
	case l.o.json:
		each, done = func(line []byte) error {
			s.object(line)
			return nil
		}, func() {}
	case l.o.csv:
		if err := csvLine(s.w, flowFields...); err != nil {
			return err
		}
		each, done = func(line []byte) error { return flowCSV(s.w, line) }, func() {}
	}
	unable, err := ask(socket, words, each)
	if err == nil || l.shown > 0 {
		done()
	}
	s.w.Flush()
	unableTo(unable, stderr)
	return err
}

// defaults are the words of --watch that were not given: the largest first, as many as there is room for.
func (l *flowList) defaults(s *screen) (words []string) {
	has := func(name string) bool {
		for _, w := range l.o.words {
			if strings.HasPrefix(w, name) {
				return true
			}
		}
		return false
	}
	if !has("sort=") {
		words = append(words, "sort=octets")
	}
	if !has("limit=") {
		room := 20
		if s.terminal() {
			room = max(s.height-2, 1)
		}
		words = append(words, "limit="+strconv.Itoa(room))
	}
	return words
}

// table prints flows for people. done ends it.
func (l *flowList) table(s *screen) (each func(line []byte) error, done func()) {
	cols := []column{
		{"proto", false},
		{"source", false},
		{"destination", false},
		{"packets", true},
		{"octets", true},
		{"replies", true},
		{"octets", true},
	}
	if l.o.watch {
		cols = append(cols, column{"rate", true})
	}
	cols = append(cols, column{"state", false}, column{"age", true}, column{"translation", false})
	t := newTable(s, cols...)
	fresh := map[string]seen{}
	return func(line []byte) error {
			var f question.Flow
			if err := json.Unmarshal(line, &f); err != nil {
				return err
			}
			l.shown++
			cells := l.cells(&f)
			if l.o.watch {
				id, rate := fmt.Sprint(f.Instance, cells[1], " ", cells[2], " ", f.Proto, " ", int64(f.Start)), "-"
				if f.Has(question.Counters) {
					old, known := l.rates[id]
					fresh[id] = l.rate(&f, old, known)
					rate = fresh[id].rate
				}
				cells = append(cells[:7], append([]string{rate}, cells[7:]...)...)
			}
			t.add(cells...)
			return nil
		}, func() {
			t.flush()
			l.rates = fresh
		}
}

// cells are a flow's columns.
func (l *flowList) cells(f *question.Flow) []string {
	port := func(n uint16) int {
		if f.Has(question.Ports) {
			return int(n)
		}
		return -1
	}
	count := func(known question.Known, text string) string {
		if f.Has(known) {
			return text
		}
		return "-"
	}
	return []string{
		question.ProtoName(f.Proto),
		human.Endpoint(f.Src, port(f.Sport)),
		l.destination(f, port(f.Dport)),
		count(question.Counters, human.Count(f.Packets)),
		count(question.Counters, human.Octets(f.Octets)),
		count(question.ReplyCounters, human.Count(f.ReplyPackets)),
		count(question.ReplyCounters, human.Octets(f.ReplyOctets)),
		stateOf(f),
		age(f, l.now),
		translation(f),
	}
}

func (l *flowList) destination(f *question.Flow, port int) string {
	name := l.services[strconv.Itoa(port)+"/"+question.ProtoName(f.Proto)]
	if name == "" {
		return human.Endpoint(f.Dst, port)
	}
	at := f.Dst.String()
	if f.Dst.Is6() {
		at = "[" + at + "]"
	}
	return at + ":" + name
}

func stateOf(f *question.Flow) string {
	switch {
	case f.Has(question.State):
		return strings.ToLower(question.StateName(f.State))
	case f.Has(question.Flags):
		return key.TCPFlagLetters(f.Flags)
	case f.Has(question.ICMP):
		return fmt.Sprintf("type %d/%d", f.ICMPType, f.ICMPCode)
	case f.Has(question.Status) && f.Status&(1<<1) == 0: // IPS_SEEN_REPLY
		return "unreplied"
	}
	return "-"
}

// age is how long a flow lives; of a flow of a capture, how long it lasted.
func age(f *question.Flow, now time.Time) string {
	if !f.Has(question.Start) {
		return "-"
	}
	d := now.Sub(time.Unix(0, int64(f.Start)))
	if f.Has(question.Last) && now.Sub(time.Unix(0, int64(f.Last))) > 24*time.Hour {
		d = time.Duration(f.Last - f.Start)
	}
	return human.Duration(d)
}

// translation says what addresses became.
func translation(f *question.Flow) string {
	src, dst := f.Translated()
	var parts []string
	port := func(n uint16) int {
		if f.Has(question.Ports) {
			return int(n)
		}
		return -1
	}
	if src {
		parts = append(parts, "from "+human.Endpoint(f.ReplyDst, port(f.ReplyDport)))
	}
	if dst {
		parts = append(parts, "to "+human.Endpoint(f.ReplySrc, port(f.ReplySport)))
	}
	return strings.Join(parts, " ")
}

// flowFields are the columns of CSV, named as the members of JSON.
var flowFields = []string{
	"id", "proto", "src", "sport", "dst", "dport", "icmp_type", "icmp_code", "packets", "octets", "reply_src",
	"reply_sport", "reply_dst", "reply_dport",
	"reply_packets", "reply_octets", "counted", "start", "last", "timeout", "state", "tcp_flags", "in", "out", "status",
	"mark",
	"ct_id", "zone",
}

func flowCSV(w io.Writer, line []byte) error {
	var members map[string]any
	d := json.NewDecoder(strings.NewReader(string(line)))
	d.UseNumber()
	if err := d.Decode(&members); err != nil {
		return err
	}
	values := make([]string, len(flowFields))
	for i, name := range flowFields {
		if v, ok := members[name]; ok {
			values[i] = fmt.Sprint(v)
		}
	}
	return csvLine(w, values...)
}

// servicesOf reads names of services: by port and protocol, such as 80/tcp. Without the file there are none.
func servicesOf(path string) map[string]string {
	names := map[string]string{}
	text, _ := os.ReadFile(path)
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if f := strings.Fields(line); len(f) >= 2 && names[f[1]] == "" {
			names[f[1]] = f[0]
		}
	}
	return names
}
