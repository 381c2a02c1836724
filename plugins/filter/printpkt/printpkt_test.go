package printpkt

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"ulogd/conf"
	"ulogd/engine"
	_ "ulogd/plugins/filter/base"
	_ "ulogd/plugins/filter/ip2str"
	"ulogd/stacks"
	"ulogd/test/stacktest"
)

// That lines are ulogd2's is tested by running ulogd2, in package difftest. Here is what it cannot
// show.

// TestNothingForgesALine: control characters of prefixes and of interface names.
func TestNothingForgesALine(t *testing.T) {
	stacktest.Feed(t.Name(), map[string]string{
		"oob.family": "2", "oob.protocol": "2048", "raw.pkt": "E", "raw.pktlen": "1",
		"oob.prefix": "a\nb\x1b[2J\x7f \"é\\ %s", "oob.in": "eth\r0", "oob.out": "",
	})
	stacktest.Run(t, fmt.Sprintf(`stack = ["in:ROWS,b:BASE,s:IP2STR,p:PRINTPKT,o:RECORD"]
[in]
feed = %q
[o]
name = %[1]q
keys = ["print"]`, t.Name()))
	want := `print=a\x0ab\x1b[2J\x7f "é\ %s IN=eth\x0d0 OUT= MAC= LEN=0 TOS=00 PREC=0x00 TTL=0 ID=0 PROTO=0 ` + "\n"
	if got := stacktest.Recorded(t.Name()); len(got) != 1 || got[0] != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestForgottenIfindexIsNamed: without it a stack of NFLOG's would print no interfaces, without a
// word.
func TestForgottenIfindexIsNamed(t *testing.T) {
	stacktest.Feed(t.Name(), map[string]string{"oob.family": "2", "oob.protocol": "2048", "raw.pkt": "E", "raw.pktlen": "1", "oob.ifindex_in": "1"})
	file, _ := conf.Parse("t.toml", []byte(fmt.Sprintf(`stack = ["in:ROWS,b:BASE,s:IP2STR,p:PRINTPKT,o:RECORD"]
[in]
feed = %q`, t.Name())))
	_, problems := stacks.Build(file, &engine.Default, slog.New(slog.DiscardHandler))
	if got := fmt.Sprint(problems); !strings.Contains(got, "put IFINDEX before it") {
		t.Errorf("got %s", got)
	}
}
