package e2e

import (
	"bytes"
	"encoding/xml"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"
)

// pdmlFlows takes the data records out of tshark's XML: every "Flow N" is one.
func pdmlFlows(t *testing.T, out []byte) (flows []flow) {
	t.Helper()
	type field struct {
		Name   string  `xml:"name,attr"`
		Show   string  `xml:"show,attr"`
		Label  string  `xml:"showname,attr"`
		Fields []field `xml:"field"`
	}
	var walk func(f field)
	walk = func(f field) {
		if strings.HasPrefix(f.Show, "Flow ") {
			var rec flow
			for _, v := range f.Fields {
				num := func() uint64 { n, _ := strconv.ParseUint(v.Show, 0, 64); return n }
				switch v.Name {
				case "cflow.srcaddr", "cflow.srcaddrv6":
					rec.src = v.Show
				case "cflow.dstaddr", "cflow.dstaddrv6":
					rec.dst = v.Show
				case "cflow.srcport":
					rec.sport = int(num())
				case "cflow.dstport":
					rec.dport = int(num())
				case "cflow.protocol":
					rec.proto = int(num())
				case "cflow.packets", "cflow.packets_total", "cflow.permanent_packets":
					rec.packets = num()
				case "cflow.octets", "cflow.octets_total", "cflow.permanent_octets":
					rec.bytes = num()
				case "cflow.abstimestart":
					rec.start = second(v.Show)
				case "cflow.abstimeend":
					rec.end = second(v.Show)
				case "cflow.timedelta":
					for _, at := range v.Fields {
						if at.Name == "cflow.abstimestart" {
							rec.start = second(at.Show)
						} else if at.Name == "cflow.abstimeend" {
							rec.end = second(at.Show)
						}
					}
				}
			}
			flows = append(flows, rec)
		}
		for _, sub := range f.Fields {
			walk(sub)
		}
	}
	d := xml.NewDecoder(bytes.NewReader(out))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return flows
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "proto" {
			var p struct {
				Name   string  `xml:"name,attr"`
				Fields []field `xml:"field"`
			}
			if err := d.DecodeElement(&p, &e); err != nil {
				t.Fatal(err)
			}
			if p.Name == "cflow" {
				for _, f := range p.Fields {
					walk(f)
				}
			}
		}
	}
}

// second reads the time that tshark shows, in any of its forms, as UTC to the second.
func second(show string) string {
	for _, layout := range []string{"Jan _2, 2006 15:04:05.999999999 MST", "2006-01-02T15:04:05.999999999Z0700", "Jan 2, 2006 15:04:05.999999999 MST"} {
		if at, err := time.Parse(layout, show); err == nil {
			return at.UTC().Format(time.DateTime)
		}
	}
	return show
}
