package decoders

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	_ "ulogd/plugins"
	"ulogd/test/stacktest"
)

// export runs each cell through an output of its own and returns all messages in their order. Cells
// have observation domains of their own, so that their templates do not meet.
func export(t *testing.T, output string, cells []cell) (messages [][]byte) {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetReadBuffer(8 << 20)
	for i, cell := range cells {
		feed := fmt.Sprintf("%s %s %s %s", t.Name(), output, cell.name, cell.set)
		stacktest.Feed(feed, cell.rows...)
		counts := "delta"
		if holding(cell.want, "packetTotalCount") > 0 {
			counts = "total"
		}
		domain := fmt.Sprintf("proto = \"udp\"\noid = %d\n%s", i+1, cell.set)
		switch output {
		case "NETFLOW9":
			domain = fmt.Sprintf("source_id = %d\n%s", i+1, cell.setV9)
		case "NETFLOW5":
			domain = ""
		}
		stacktest.Run(t, fmt.Sprintf(`stack = ["rows:ROWS,%sout:%s"]
[rows]
feed = %q
counts = %q
[out]
host = [%q]
%s
`, cell.stack, output, feed, counts, c.LocalAddr(), domain))
		messages = append(messages, received(t, c)...)
	}
	return messages
}

// received returns what has come in.
func received(t *testing.T, c net.PacketConn) (messages [][]byte) {
	t.Helper()
	for {
		buf := make([]byte, 65536)
		patience := 250 * time.Millisecond // on the loopback address what was sent is there
		if len(messages) == 0 {
			patience = 10 * time.Second // be it that a busy machine comes late to look
		}
		c.SetReadDeadline(time.Now().Add(patience))
		n, _, err := c.ReadFrom(buf)
		if err != nil {
			if len(messages) == 0 {
				t.Fatal("no message came")
			}
			return messages
		}
		messages = append(messages, buf[:n])
	}
}

// enterprise reports whether a name is one of our own keys' and not of the IANA registry.
func enterprise(name string) bool { return strings.Contains(name, ".") || name == "mark" }
