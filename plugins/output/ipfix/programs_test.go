// What programs that we did not write read in files.

package ipfix

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"ulogd/test/nstest"
)

// tsharkFile returns what tshark says of each data record in a file of IPFIX messages, one map of
// its labels per record.
func tsharkFile(t *testing.T, name string) (records []map[string]string) {
	t.Helper()
	nstest.Need(t, "tool:tshark")
	cmd := exec.Command("tshark", "-n", "-r", name, "-O", "cflow", "-V")
	cmd.Env = append(os.Environ(), "TZ=UTC")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, out)
	}
	for _, bad := range []string{"Malformed", "Unexpected flow sequence", "No template found", "Exception"} {
		if bytes.Contains(out, []byte(bad)) {
			t.Errorf("tshark says %q of %s", bad, name)
		}
	}
	begin, label := regexp.MustCompile(`^\s+Flow \d+$`), regexp.MustCompile(`^\s+\[?([^:\[]+): (.*?)\]?$`)
	for line := range strings.SplitSeq(string(out), "\n") {
		if begin.MatchString(line) {
			records = append(records, map[string]string{})
		} else if m := label.FindStringSubmatch(line); m != nil && len(records) > 0 {
			records[len(records)-1][strings.TrimSpace(m[1])] = m[2]
		}
	}
	return records
}

// ipfixDumpFile returns what libfixbuf's ipfixDump says of each data record, by number of the
// element.
func ipfixDumpFile(t *testing.T, name string) (records []map[string]string) {
	t.Helper()
	nstest.Need(t, "tool:ipfixDump")
	out, err := exec.Command("ipfixDump", "--in", name).CombinedOutput()
	if err != nil {
		t.Fatalf("ipfixDump: %v\n%s", err, out)
	}
	field := regexp.MustCompile(`^\t\(([0-9/]+)\)\s.*? : (.*)$`)
	for line := range strings.SplitSeq(string(out), "\n") {
		if strings.HasPrefix(line, "--- data record") {
			records = append(records, map[string]string{})
		}
		if m := field.FindStringSubmatch(line); m != nil {
			records[len(records)-1][m[1]] = m[2]
		}
		if strings.Contains(line, "rror") || strings.Contains(line, "arning") {
			t.Errorf("ipfixDump says %q", line)
		}
	}
	return records
}
