package decoders

import (
	"bytes"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ulogd/test/nstest"
)

var (
	ipfixDumpRecord = regexp.MustCompile(`^--- (data|options) record`)
	ipfixDumpField  = regexp.MustCompile(`^\s+\((?:(\d+)/)?(\d+)\)(?: \(S\))?\s+(\S+) : (.*)`)
)

// readIPFIXDump lets libfixbuf read the messages as a file. Names of enterprise elements are those
// that the file's own records describe (RFC 5610).
func readIPFIXDump(t *testing.T, messages [][]byte) (records []fields) {
	nstest.Need(t, "tool:ipfixDump")
	cmd := exec.Command("ipfixDump", "--rfc5610", "--data", "--hexdump=64")
	cmd.Stdin, cmd.Env = bytes.NewReader(bytes.Join(messages, nil)), append(cmd.Environ(), "TZ=UTC")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("ipfixDump: %v\n%s", err, out)
	}
	for line := range strings.SplitSeq(string(out), "\n") {
		if ipfixDumpRecord.MatchString(line) {
			records = append(records, fields{})
		} else if m := ipfixDumpField.FindStringSubmatch(line); m != nil && len(records) > 0 {
			pen, _ := strconv.Atoi(m[1])
			id, _ := strconv.Atoi(m[2])
			if e, ok := lookup(uint32(pen), uint16(id)); ok {
				name := m[3]
				if strings.HasSuffix(name, ".mark") {
					name = "mark"
				}
				records[len(records)-1][name] = ipfixDumpValue(e, m[4])
			}
		}
	}
	return records
}

func ipfixDumpValue(e element, s string) string {
	if at, err := time.Parse("2006-01-02 15:04:05.000", s); err == nil {
		return fmt.Sprint(at.UnixMilli())
	}
	switch _, rest, long := strings.Cut(s, ") "); {
	case e.kind == address:
		return net.ParseIP(s).String() // it writes fd00::0005
	case long && e.kind == raw:
		return strings.TrimPrefix(rest, "0x")
	case long && e.kind == text:
		return rest
	}
	return s
}
