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

// pdmlFlows takes the data records of flows out of tshark's XML.
func pdmlFlows(t *testing.T, out []byte) (flows []flow) {
	t.Helper()
	for _, rec := range pdmlRecords(t, out) {
		first := func(names ...string) string {
			for _, name := range names {
				if v, ok := rec[name]; ok {
					return v
				}
			}
			return ""
		}
		num := func(names ...string) uint64 { n, _ := strconv.ParseUint(first(names...), 0, 64); return n }
		flows = append(flows, flow{
			src: first("cflow.srcaddr", "cflow.srcaddrv6"), dst: first("cflow.dstaddr", "cflow.dstaddrv6"),
			sport: int(num("cflow.srcport")), dport: int(num("cflow.dstport")), proto: int(num("cflow.protocol")),
			in: int(num("cflow.inputint")), out: int(num("cflow.outputint")),
			packets: num("cflow.packets", "cflow.packets_total", "cflow.permanent_packets"),
			bytes:   num("cflow.octets", "cflow.octets_total", "cflow.permanent_octets"),
			start:   second(first("cflow.abstimestart")), end: second(first("cflow.abstimeend")),
		})
	}
	return flows
}

// pdmlRecords takes the data records out of tshark's XML, by the names of their fields: every "Flow
// N" is one.
func pdmlRecords(t *testing.T, out []byte) (records []map[string]string) {
	t.Helper()
	type field struct {
		Name   string  `xml:"name,attr"`
		Show   string  `xml:"show,attr"`
		Fields []field `xml:"field"`
	}
	var gather func(rec map[string]string, fields []field)
	gather = func(rec map[string]string, fields []field) {
		for _, f := range fields {
			rec[f.Name] = f.Show
			gather(rec, f.Fields)
		}
	}
	var walk func(fields []field)
	walk = func(fields []field) {
		for _, f := range fields {
			if strings.HasPrefix(f.Show, "Flow ") {
				rec := map[string]string{}
				gather(rec, f.Fields)
				records = append(records, rec)
				continue
			}
			walk(f.Fields)
		}
	}
	d := xml.NewDecoder(bytes.NewReader(out))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return records
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
				walk(p.Fields)
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
