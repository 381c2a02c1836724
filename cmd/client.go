package cmd

import (
	"fmt"
	"io"
	"time"
)

// clientArgs takes -c FILE out of a command's arguments.
func clientArgs(args []string) (config string, rest []string, err error) {
	config = DefaultConfig
	for i := 0; i < len(args); i++ {
		if args[i] != "-c" && args[i] != "--configfile" {
			rest = append(rest, args[i])
			continue
		}
		if i++; i == len(args) {
			return "", nil, fmt.Errorf("option -c needs an argument")
		}
		config = args[i]
	}
	return config, rest, nil
}

func statsCommand(args []string, stdout, stderr io.Writer) int {
	config, rest, err := clientArgs(args)
	if err == nil {
		err = ask(config, append([]string{"stats"}, rest...), stdout)
	}
	return report(err, stderr)
}

// flowsCommand lists the live flows of a running daemon; --watch repeats that every two seconds, as top does.
func flowsCommand(args []string, stdout, stderr io.Writer) int {
	config, rest, err := clientArgs(args)
	watch := false
	words := []string{"flows"}
	for _, a := range rest {
		if a == "--watch" {
			watch = true
		} else {
			words = append(words, a)
		}
	}
	for err == nil {
		if watch {
			fmt.Fprint(stdout, "\x1b[H\x1b[2J") // cursor home, clear screen
		}
		if err = ask(config, words, stdout); !watch {
			break
		}
		time.Sleep(2 * time.Second)
	}
	return report(err, stderr)
}

func report(err error, stderr io.Writer) int {
	if err != nil {
		fmt.Fprintln(stderr, "ulogd:", err)
		return exitError
	}
	return exitOK
}
