package difftest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// What differs between two daemons that read the same packet at different times or in different
// groups is made the same.
var volatile = []*regexp.Regexp{
	regexp.MustCompile(`(oob\.time|flow\.(start|end))\.u?sec(=|": )\d+`),
	regexp.MustCompile(`^\d+\t`), // NACCT's end
	regexp.MustCompile(`timestamp": "[^"]*"`),
}

func steady(line string) string {
	for _, r := range volatile {
		line = r.ReplaceAllStringFunc(line, func(s string) string { return digits.ReplaceAllString(s, "0") })
	}
	return line
}

var digits = regexp.MustCompile(`\d+`)

// fieldLines are the lines of outputs with one line per record. A line that begins like none is
// forged: it belongs to the record before.
func fieldLines(content []byte) ([]string, error) {
	var out []string
	for line := range strings.Lines(string(content)) {
		if len(out) > 0 && !fieldLine.MatchString(line) {
			out[len(out)-1] += line
			continue
		}
		out = append(out, steady(line))
	}
	return out, nil
}

var fieldLine = regexp.MustCompile(`^(raw\.|orig\.|\{|\d+\t)`)

// logLines are lines with a time of 15 characters, which is taken off.
func logLines(content []byte) ([]string, error) {
	var out []string
	for line := range strings.Lines(string(content)) {
		switch {
		case syslogTime.MatchString(line):
			out = append(out, line[15:])
		case len(out) > 0:
			out[len(out)-1] += line
		default:
			return nil, fmt.Errorf("a line without its time: %q", line)
		}
	}
	return out, nil
}

var syslogTime = regexp.MustCompile(`^[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d `)

// blocks are OPRINT's records.
func blocks(content []byte) ([]string, error) {
	const boundary = "===>PACKET BOUNDARY\n"
	text := string(content)
	if text == "" {
		return nil, nil
	}
	if !strings.HasPrefix(text, boundary) {
		return nil, errors.New("no boundary at the beginning")
	}
	var out []string
	for _, block := range strings.Split(text, boundary)[1:] {
		out = append(out, steady(block))
	}
	return out, nil
}

// xmlElements are the packets or flows of an XML file, without the time of writing.
func xmlElements(content []byte) (out []string, err error) {
	for _, element := range xmlElement.FindAll(content, -1) {
		out = append(out, string(whenWritten.ReplaceAll(element, nil)))
	}
	return out, nil
}

var (
	xmlElement  = regexp.MustCompile(`(?s)<(?:log|flow)>.*?</(?:log|flow)>\n`)
	whenWritten = regexp.MustCompile(`<when>.*?</when>`)
)

// pcapRecords are the packets of a capture file, each after the file's header, its own with the
// time left out.
func pcapRecords(content []byte) ([]string, error) {
	if len(content) < 24 {
		return nil, errors.New("no header yet")
	}
	header := fmt.Sprintf("%x", content[:24])
	var out []string
	for rest := content[24:]; len(rest) > 0; {
		if len(rest) < 16 {
			return nil, errors.New("half a header")
		}
		n := int(binary.NativeEndian.Uint32(rest[8:]))
		if len(rest) < 16+n {
			return nil, errors.New("half a packet")
		}
		out = append(out, fmt.Sprintf("%s %x %x", header, rest[8:16], bytes.Clone(rest[16:16+n])))
		rest = rest[16+n:]
	}
	return out, nil
}
