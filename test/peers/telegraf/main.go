// Command telegraf is Telegraf with one input, its own netflow plugin in its default configuration,
// and one output: each metric as a line of JSON. Arguments are the address, and the protocol if it
// is not the default.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/agent"
	"github.com/influxdata/telegraf/config"
	_ "github.com/influxdata/telegraf/plugins/inputs/netflow"
)

func main() {
	conf := config.NewConfig()
	text := fmt.Sprintf("[[inputs.netflow]]\nservice_address = \"udp://%s\"\n", os.Args[1])
	if len(os.Args) > 2 {
		text += fmt.Sprintf("protocol = %q\n", strings.ReplaceAll(os.Args[2], "_", " "))
	}
	if err := conf.LoadConfigData([]byte(text), "arguments"); err != nil {
		fail(err)
	}
	metrics := make(chan telegraf.Metric, 1000)
	input := conf.Inputs[0]
	if err := input.Init(); err != nil {
		fail(err)
	}
	if err := input.Input.(telegraf.ServiceInput).Start(agent.NewAccumulator(input, metrics)); err != nil {
		fail(err)
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	out := json.NewEncoder(os.Stdout)
	for {
		select {
		case m := <-metrics:
			m.AddField("timestamp", m.Time().UnixNano())
			out.Encode(m.Fields())
		case <-end:
			time.Sleep(100 * time.Millisecond)
			return
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "telegraf:", err)
	os.Exit(1)
}
