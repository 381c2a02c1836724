package e2e

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// fileOutput is an output to files, and how to read back which packets of a flood it holds.
type fileOutput struct {
	name    string
	stack   string // behind log1:NFLOG
	options string
	records func(path string) ([]int, error) // in the order of the file; an error if a record is not whole
}

// fileOutputs are all of them.
var fileOutputs = []fileOutput{
	{
		"LOGEMU", "b1:BASE,i1:IFINDEX,s1:IP2STR,p1:PRINTPKT,out:LOGEMU", "",
		each(strings.Lines, `[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d \S+ flood  IN= OUT=lo MAC= SRC=127\.0\.0\.1 DST=([\d.]+) LEN=33 TOS=00 .* SPT=\d+ DPT=9 LEN=13 UID=0 GID=0 MARK=0x0 \n`),
	},
	{"GPRINT", "b1:BASE,s1:IP2STR,out:GPRINT", "", each(strings.Lines, `raw\.pktlen=33,raw\.pktcount=1,.*,ip\.saddr\.str=127\.0\.0\.1,ip\.daddr\.str=([\d.]+)\n`)},
	{"OPRINT", "b1:BASE,s1:IP2STR,out:OPRINT", "", each(blocks, `raw\.pkt=default\n(?:[a-z._0-9]+=.*\n)*ip\.daddr\.str=([\d.]+)\n`)},
	{"JSON", "b1:BASE,s1:IP2STR,out:JSON", "", objects},
	{"NACCT", `b1:BASE,f1:FLOW,s1:IP2STR,out:NACCT`, "[f1]\ninactive_timeout=\"50ms\"", each(strings.Lines, `\d+\t17\t127\.0\.0\.1\t\d+\t([\d.]+)\t9\t0\t0\n`)},
	{"XML", "out:XML", "", each(elements, `<log>.*<payload>[0-9a-f]{32}([0-9a-f]{8})[0-9a-f]{26}</payload></log>\n`)},
	{"PCAP", "b1:BASE,out:PCAP", "", frames},
	{"PCAPNG", "b1:BASE,out:PCAP", "format=pcapng", frames},
}

// each reads a file of records that must match an expression, whose first group is the destination.
func each(split func(string) iter.Seq[string], expr string) func(string) ([]int, error) {
	re := regexp.MustCompile("^" + expr + "$")
	return func(path string) (numbers []int, err error) {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for record := range split(string(text)) {
			m := re.FindStringSubmatch(record)
			if m == nil {
				return nil, fmt.Errorf("a torn record %q", record)
			}
			numbers = append(numbers, numberOf(m[1]))
		}
		return numbers, nil
	}
}

// blocks are OPRINT's records.
func blocks(text string) iter.Seq[string] {
	const boundary = "===>PACKET BOUNDARY\n"
	return strings.SplitSeq(strings.TrimPrefix(text, boundary), boundary)
}

// elements are XML's records.
func elements(text string) iter.Seq[string] {
	text = strings.TrimPrefix(text, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<packet>\n")
	return strings.Lines(strings.TrimSuffix(text, "</packet>\n"))
}

// objects reads JSON's records.
func objects(path string) (numbers []int, err error) {
	text, err := os.ReadFile(path)
	for line := range strings.Lines(string(text)) {
		var o struct {
			Destination string `json:"dest_ip"`
			Length      int    `json:"udp.len"`
		}
		if err := json.Unmarshal([]byte(line), &o); err != nil || o.Length != 13 || !strings.HasSuffix(line, "}\n") {
			return nil, fmt.Errorf("a torn record %q: %w", line, err)
		}
		numbers = append(numbers, numberOf(o.Destination))
	}
	return numbers, err
}

// frames has tshark read a capture. (tcpdump takes a second section's raw IP for another link type
// than the first one's.)
func frames(path string) (numbers []int, err error) {
	out, err := exec.Command("tshark", "-r", path, "-T", "fields", "-e", "udp.length", "-e", "ip.dst").Output()
	if bad := (*exec.ExitError)(nil); errors.As(err, &bad) {
		return nil, fmt.Errorf("tshark: %w: %s", err, bad.Stderr)
	}
	for line := range strings.Lines(string(out)) {
		length, destination, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if length != "13" {
			return nil, fmt.Errorf("a torn frame: %q", line)
		}
		numbers = append(numbers, numberOf(destination))
	}
	return numbers, nil
}

// numberOf reads a destination: an address as text, or its octets in hexadecimal.
func numberOf(address string) (n int) {
	if octets, err := hex.DecodeString(address); err == nil && len(octets) == 4 {
		return int(octets[0])<<24 | int(octets[1])<<16 | int(octets[2])<<8 | int(octets[3]) - firstDestination
	}
	for octet := range strings.SplitSeq(address, ".") {
		v, _ := strconv.Atoi(octet)
		n = n<<8 | v
	}
	return n - firstDestination
}
