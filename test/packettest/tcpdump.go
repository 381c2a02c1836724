// Which packets of a file tcpdump takes by an expression.

package packettest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TcpdumpTakes tells which packets of a file tcpdump takes, by their times, which are their
// numbers.
func TcpdumpTakes(t testing.TB, file, expression string) map[int]bool {
	t.Helper()
	cmd := exec.Command("tcpdump", "-r", file, "-n", "-tt", "-q", "-K", "-s0", "--", expression)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if strings.Contains(stderr.String(), "expression rejects all packets") {
		return nil
	}
	if err != nil {
		t.Fatalf("tcpdump %q: %v\n%s", expression, err, &stderr)
	}
	took := map[int]bool{}
	for _, m := range regexp.MustCompile(`(?m)^(\d+)\.\d+ `).FindAllStringSubmatch(string(out), -1) {
		n, _ := strconv.Atoi(m[1])
		took[n] = true
	}
	return took
}

// WriteNumbered writes a capture file in which the time of a packet is its number.
func WriteNumbered(t testing.TB, link uint32, packets []Packet) string {
	t.Helper()
	for i := range packets {
		packets[i].Time = time.Unix(int64(i), 0)
	}
	var b bytes.Buffer
	if err := WritePcap(&b, link, Pcap{}, packets); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "all.pcap")
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}
