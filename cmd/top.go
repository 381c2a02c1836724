// `ulogd top`: who sends most just now.

package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ulogd/engine/human"
	"ulogd/engine/question"
)

func topCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "top",
		Short: "who sends most: addresses, ports, protocols, interfaces, networks",
		Long: `top adds up the live flows of FLOW and connections of NFCT, both directions of each, and shows the largest, time and again.
Counted is what came within the window, of flows that live at its end; with --total what the flows have had since they
began, once. Words say what is shown:
  by=WHAT             src, dst (the initiator's side and the other), host (either side), pair, port (of the destination;
                      the lower one where only one direction is known), proto, in, out (interfaces), srcnet, dstnet
                      (networks: /24, of IPv6 /64), id (who sees the flows); src unless given
  sort=O              octets, packets or flows; octets unless given
  limit=N             that many rows; 20, or what the terminal has room for
  proto=P, src=A, dst=A, addr=A, port=N, in=I, out=I, if=I, id=ID
                      only these flows, as for ulogd flows
` + found,
		Example: `  ulogd top
  ulogd top by=port proto=tcp
  ulogd top by=pair sort=packets --window 10s
  ulogd top by=srcnet --total --json`,
		ValidArgsFunction: begun(wordsFrom([]string{
			"by=", "sort=", "limit=", "proto=", "src=", "dst=", "addr=", "port=", "if=", "in=",
			"out=", "id=",
		},
			map[string][]string{
				"by": question.Tops, "sort": question.TopOrders,
				"proto": {"tcp", "udp", "icmp", "icmpv6", "sctp"},
			})),
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.socket, "socket", "", "ask the daemon behind the control socket `PATH`")
	f.DurationVar(&o.interval, "window", 2*time.Second, "`TIME` over which is counted, from 1s to 1h")
	f.BoolVar(&o.total, "total", false, "count what live flows have had since they began, once")
	f.IntVar(&o.rounds, "count", 0, "end after that many windows `N`; 0: never")
	f.BoolVar(&o.json, "json", false, "print a JSON object for each window")
	f.BoolVar(&o.csv, "csv", false, "print CSV")
	c.MarkFlagsMutuallyExclusive("json", "csv")
	c.MarkFlagFilename("socket")
	does(c, o, "[WORD ...]", top)
	return c
}

// errEnough ends an answer that goes on.
var errEnough = errors.New("that was enough")

func top(o *options, stdout, stderr io.Writer) int {
	q, err := question.ParseTop(o.words)
	if err != nil {
		return report(err, stderr)
	}
	socket, err := o.find()
	if err != nil {
		return report(err, stderr)
	}
	s := newScreen(stdout)
	words := append([]string{"top"}, o.words...)
	if s.terminal() && !strings.Contains(strings.Join(words, " "), "limit=") {
		words = append(words, "limit="+strconv.Itoa(max(s.height-4, 1)))
	}
	if !o.total {
		words = append(words, "window="+o.interval.String())
	}
	rounds := 0
	_, err = askPatiently(socket, words, answerPatience+2*o.interval, func(line []byte) error {
		var res question.Result
		if err := json.Unmarshal(line, &res); err != nil {
			return err
		}
		switch {
		case o.json:
			s.object(line)
		case o.csv:
			if err := topCSV(s.w, &res, rounds == 0); err != nil {
				return err
			}
		default:
			if !o.total {
				s.home()
			}
			topTable(s, q, &res)
			if !o.total && !s.terminal() {
				s.line("")
			}
		}
		s.end()
		unableTo(res.Unable, stderr)
		if rounds++; rounds == o.rounds {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return report(err, stderr)
}

func topTable(s *screen, q *question.Top, res *question.Result) {
	seconds := res.Took.Seconds()
	over := "since the flows began"
	if res.Took > 0 {
		over = "within " + human.Duration(res.Took)
	}
	s.line(fmt.Sprintf("%s  %d flows, %s packets, %s %s", res.At.Local().Format(time.TimeOnly), res.All.Flows,
		countOf(&res.All, human.Count(res.All.Packets)), countOf(&res.All, human.Octets(res.All.Octets)), over))
	cols := []column{{q.By, false}, {"octets", true}, {"share", true}, {"packets", true}, {"flows", true}}
	if res.Took > 0 {
		cols = append(cols, column{"rate", true})
	}
	t := newTable(s, cols...)
	for i := range res.Rows {
		r := &res.Rows[i]
		cells := []string{
			r.Name, countOf(r, human.Octets(r.Octets)), share(r.Octets, res.All.Octets),
			countOf(r, human.Count(r.Packets)), human.Count(r.Flows),
		}
		if res.Took > 0 {
			cells = append(cells, countOf(r, human.Rate(float64(r.Octets)/seconds)))
		}
		t.add(cells...)
	}
	t.flush()
}

// countOf is a count, unless nobody knows it.
func countOf(r *question.Row, text string) string {
	if r.Flows > 0 && r.Unknown == r.Flows {
		return "-"
	}
	return text
}

func share(part, all uint64) string {
	if all == 0 {
		return "-"
	}
	return strconv.FormatFloat(100*float64(part)/float64(all), 'f', 1, 64) + "%"
}

func topCSV(w io.Writer, res *question.Result, first bool) error {
	if first {
		if err := csvLine(w, "at", "seconds", "name", "octets", "packets", "flows", "unknown"); err != nil {
			return err
		}
	}
	for _, r := range res.Rows {
		u := func(n uint64) string { return strconv.FormatUint(n, 10) }
		if err := csvLine(w, res.At.UTC().Format(time.RFC3339Nano),
			strconv.FormatFloat(res.Took.Seconds(), 'f', 3, 64), r.Name,
			u(r.Octets), u(r.Packets), u(r.Flows), u(r.Unknown)); err != nil {
			return err
		}
	}
	return nil
}
