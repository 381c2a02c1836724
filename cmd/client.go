// Commands that ask the running daemon.

package cmd

import (
	"fmt"
	"io"
	"time"
)

func statsCommand(o *options, words []string, stdout, stderr io.Writer) int {
	if len(words) > 0 {
		return misused("stats", stderr)
	}
	question := []string{"stats"}
	if o.json {
		question = append(question, "--json")
	}
	return report(ask(o.config, question, stdout), stderr)
}

// flowsCommand lists the live flows of a running daemon; --watch repeats that every two seconds, as top does.
func flowsCommand(o *options, words []string, stdout, stderr io.Writer) int {
	question := append([]string{"flows"}, words...)
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
