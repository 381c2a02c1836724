// Commands that ask the running daemon.

package cmd

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func statsCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "stats",
		Short: "counters of the running daemon",
		Long: `stats prints what each plugin of the running daemon did with the records, or only those whose ids are given.
It asks the daemon on its control socket, which the configuration names.`,
		Example: `  ulogd stats
  ulogd stats ipfix1
  ulogd stats --json | jq '.[] | {id, dropped, lost}'`,
		ValidArgsFunction: begun(instancesFrom),
	}
	c.Flags().BoolVar(&o.json, "json", false, "print JSON")
	does(c, o, "[ID ...]", func(o *options, stdout, stderr io.Writer) int {
		question := []string{"stats"}
		if o.json {
			question = append(question, "--json")
		}
		return report(ask(o.config, append(question, o.words...), stdout), stderr)
	})
	return c
}

func flowsCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "flows",
		Short: "live flows and connections of the running daemon",
		Long: `flows lists the flows that FLOW holds and the connections that NFCT knows. Words choose among them:
  proto=P             protocol: tcp, udp, icmp, icmpv6, sctp or a number
  src=A, dst=A        address or network of the source, of the destination
  addr=A              of either side
  port=N              of either side
  sort=O              octets or packets, the most first; for FLOW also end, the latest first
  limit=N             no more than that many; 1000 where they are sorted`,
		Example: `  ulogd flows proto=tcp port=443
  ulogd flows --watch sort=octets limit=20
  ulogd flows addr=192.0.2.0/24`,
		ValidArgsFunction: begun(flowWordsFrom),
	}
	c.Flags().BoolVar(&o.watch, "watch", false, "repeat every two seconds")
	does(c, o, "[WORD ...]", flows)
	return c
}

// flowWords is what `ulogd flows` takes.
var flowWords = []string{"proto=", "src=", "dst=", "addr=", "port=", "sort=", "limit="}

func flowWordsFrom(_ *cobra.Command, words []string, _ string) (left []string, _ cobra.ShellCompDirective) {
	for _, w := range flowWords {
		used := false
		for _, given := range words {
			used = used || strings.HasPrefix(given, w)
		}
		if !used {
			left = append(left, w)
		}
	}
	return left, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// flows lists the live flows of a running daemon; --watch repeats that every two seconds, as top does.
func flows(o *options, stdout, stderr io.Writer) int {
	question := append([]string{"flows"}, o.words...)
	for {
		if o.watch {
			fmt.Fprint(stdout, "\x1b[H\x1b[2J") // cursor home, clear screen
		}
		if err := ask(o.config, question, stdout); err != nil || !o.watch {
			return report(err, stderr)
		}
		time.Sleep(2 * time.Second)
	}
}
