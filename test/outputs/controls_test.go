// Text from outside commands no terminal: neither a packet's prefix nor a counter's name brings
// control characters into what is written.

package outputs

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"ulogd/engine/text"
	"ulogd/test/stacktest"
)

// controls has every control character: C0, DEL, C1 as octets and in UTF-8; and what must stay.
func controls() string {
	var s strings.Builder
	s.WriteString("begin")
	for c := 0; c < 0xa0; c++ {
		if c < ' ' && c != 0 || c >= 0x7f {
			s.WriteByte(byte(c))
		}
		if c >= 0x80 {
			s.WriteString("." + string(rune(c)))
		}
	}
	return s.String() + "\x9b2J éß日本 end"
}

func TestControlCharacters(t *testing.T) {
	const packet, counter = "in:ROWS", "in:ROWS"
	type attempt struct {
		stack, feed, options string
		reader               func(t *testing.T, dir string) ([]any, func(*testing.T) io.ReadCloser)
	}
	cases := map[string]attempt{
		"GPRINT":      {packet, "evil packet", `file = "%s"`, nil},
		"OPRINT":      {packet, "evil packet", `file = "%s"`, nil},
		"PRINT":       {packet, "evil packet", `file = "%s"`, nil},
		"JSON":        {packet, "evil packet", `file = "%s"`, nil},
		"LOGEMU":      {packet + ",s:IP2STR,p:PRINTPKT", "evil packet", `file = "%s"`, nil},
		"XML":         {packet, "evil packet", `directory = "%s"`, nil},
		"XML counter": {counter, "evil counter", `directory = "%s"`, nil},
		"SYSLOG":      {packet + ",s:IP2STR,p:PRINTPKT", "evil packet", `socket = "%s"`, datagrams},
		"GRAPHITE":    {counter, "evil counter", "prefix = \"p\"\nhost = \"%s\"\nport = \"%s\"", tcp},
		"NACCT":       {}, // its texts are IP2STR's addresses
		"PCAP":        {}, // not text
		"IPFIX":       {}, // not text
		"NETFLOW5":    {}, // not text
		"NETFLOW9":    {}, // not text
		"NULL":        {},
		"RECORD":      {},
		"CLICKHOUSE":  {}, // values of a store are data, not lines that a terminal shows
		"KAFKA":       {},
		"MYSQL":       {},
		"PARQUET":     {},
		"PGSQL":       {},
		"SQLITE3":     {},
	}
	every(t, cases, "with control characters", func(string, attempt) {})
	for name, c := range cases {
		if c.stack == "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			plugin, _, _ := strings.Cut(name, " ")
			dir := t.TempDir()
			path := filepath.Join(dir, "out")
			args, open := []any{path}, func(t *testing.T) io.ReadCloser { return nil }
			if strings.HasPrefix(c.options, "directory") {
				args = []any{dir}
			}
			if c.reader != nil {
				args, open = c.reader(t, dir)
			}
			d := stacktest.Start(t, fmt.Sprintf(`stack = "%s,out:%s"
[in]
feed = "%s"
[out]
%s`,
				c.stack, plugin, c.feed, fmt.Sprintf(c.options, args...)))
			var data []byte
			if c.reader != nil {
				r := open(t)
				got := make(chan []byte)
				go func() {
					data, _ := io.ReadAll(r)
					got <- data
				}()
				d.Wait()
				r.Close()
				data = bytes.TrimSuffix(<-got, []byte(theEnd))
			} else {
				d.Wait()
				files, _ := filepath.Glob(filepath.Join(dir, "*"))
				for _, f := range files {
					more, err := os.ReadFile(f)
					if err != nil {
						t.Fatal(err)
					}
					data = append(data, more...)
				}
			}
			if !bytes.Contains(data, []byte("begin")) || !bytes.Contains(data, []byte("éß日本")) {
				t.Errorf("the text is not there: %q", data)
			}
			for i := 0; i < len(data); {
				r, n := utf8.DecodeRune(data[i:])
				if r != '\n' && !(plugin == "XML" && r == '\t') && (unicode.IsControl(r) || text.IsC1(r, n, data[i])) {
					t.Errorf("the control character %x is there, behind %q", data[i:i+n], data[max(0, i-20):i])
				}
				i += n
			}
		})
	}
}

func init() {
	stacktest.Feed("evil packet", map[string]string{
		"oob.family": "2", "oob.protocol": "2048", "oob.prefix": controls(), "raw.pkt": "x", "ip.saddr": "10.0.0.1", "ip.daddr": "10.0.0.2",
		"ip.protocol": "17", "oob.in": controls(),
	})
	stacktest.Feed("evil counter", map[string]string{"sum.name": controls(), "sum.pkts": "1", "sum.bytes": "84"})
}
