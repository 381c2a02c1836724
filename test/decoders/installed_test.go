// Which element which collector shows, as somebody installs it: docs/collectors.md has the table.

package decoders

import (
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ulogd/test/collectors"
	"ulogd/test/nstest"
	"ulogd/test/packettest"
)

// requested are cells of elements that fields asks for.
var requested = []cell{
	{
		name: "flows", set: flowFields, setV9: flowFields,
		rows: []fields{with(tuple(ipv4, "10.2.0.1", "192.0.2.1", "6", "40001", "443"), counts("7", "777", "0", "0"), times, fields{
			"orig.ip.ttl.min": "57", "orig.ip.ttl.max": "64", "oob.vlan.id": "100", "oob.vlan.priority": "5",
			"oob.vlan.customer.id": "200", "oob.vlan.customer.priority": "3", "oob.mpls.1": "16000", "oob.mpls.2": "32000",
		})},
		want: []fields{{
			"sourceIPv4Address": "10.2.0.1", "packetDeltaCount": "7", "octetDeltaCount": "777", "minimumTTL": "57", "maximumTTL": "64",
			"ipVersion": "4", "dot1qVlanId": "100", "dot1qPriority": "5", "dot1qCustomerVlanId": "200",
			"dot1qCustomerPriority": "3", "mplsTopLabelStackSection": "16000", "mplsLabelStackSection2": "32000",
			"flowStartSeconds": fmt.Sprint(began/1000) + "000", "flowEndSeconds": fmt.Sprint((began+5456)/1000) + "000",
		}},
	},
	{
		name: "direction", set: directionFields, setV9: directionFields,
		rows: []fields{with(tuple(ipv4, "10.2.0.5", "192.0.2.1", "6", "40001", "443"), counts("7", "777", "0", "0"), times,
			fields{"oob.ifindex_out": "3"})},
		want: []fields{{"sourceIPv4Address": "10.2.0.5", "packetDeltaCount": "7", "octetDeltaCount": "777", "flowDirection": "1"}},
	},
	{
		name: "times", set: timeFields("Micro"), noV9: true,
		rows: []fields{with(tuple(ipv4, "10.2.0.2", "192.0.2.1", "6", "40001", "443"), counts("7", "777", "0", "0"), times)},
		want: []fields{{
			"sourceIPv4Address": "10.2.0.2", "packetDeltaCount": "7", "octetDeltaCount": "777",
			"flowStartMicroseconds": wantAt(123), "flowEndMicroseconds": wantAt(5456),
		}},
	},
	{
		name: "finer times", set: timeFields("Nano"), noV9: true,
		rows: []fields{with(tuple(ipv4, "10.2.0.3", "192.0.2.1", "6", "40001", "443"), counts("7", "777", "0", "0"), times)},
		want: []fields{{
			"sourceIPv4Address": "10.2.0.3", "packetDeltaCount": "7", "octetDeltaCount": "777",
			"flowStartNanoseconds": wantAt(123), "flowEndNanoseconds": wantAt(5456),
		}},
	},
	{
		name: "packets", stack: "base:BASE,", noV9: true, set: `fields = ["sourceIPv4Address", "packetDeltaCount", "octetDeltaCount", ` +
			`"observationTimeMilliseconds", "fragmentOffset", "fragmentFlags", "tcpSequenceNumber", "tcpWindowSize", "totalLengthIPv4", "ipv4IHL"]`,
		rows: []fields{with(packet("10.2.0.4", ""), fields{"raw.pkt": string(packettest.Build(
			packettest.IPv4{Src: "10.2.0.4", Dst: "192.0.2.14", DF: true}, packettest.TCP{Src: 40014, Dst: 22, Seq: 70001, Window: 501}))})},
		want: []fields{{
			"sourceIPv4Address": "10.2.0.4", "packetDeltaCount": "1", "octetDeltaCount": "40", "observationTimeMilliseconds": wantAt(123),
			"fragmentOffset": "0", "fragmentFlags": "64", "tcpSequenceNumber": "70001", "tcpWindowSize": "501",
			"totalLengthIPv4": "40", "ipv4IHL": "5",
		}},
	},
}

const flowFields = `fields = ["sourceIPv4Address", "packetDeltaCount", "octetDeltaCount", "minimumTTL", "maximumTTL", "ipVersion", ` +
	`"dot1qVlanId", "dot1qPriority", "dot1qCustomerVlanId", "dot1qCustomerPriority", "mplsTopLabelStackSection", ` +
	`"mplsLabelStackSection2", "flowStartSeconds", "flowEndSeconds"]`

const directionFields = `fields = ["sourceIPv4Address", "packetDeltaCount", "octetDeltaCount", "flowDirection"]`

func timeFields(unit string) string {
	return fmt.Sprintf("fields = [\"sourceIPv4Address\", \"packetDeltaCount\", \"octetDeltaCount\", \"flowStart%[1]sseconds\", \"flowEnd%[1]sseconds\"]", unit)
}

// netflow5 is what a record of NetFlow v5 has.
var netflow5 = []cell{{
	name: "NetFlow v5",
	rows: []fields{with(tuple(ipv4, "10.3.0.1", "192.0.2.1", "6", "40001", "443"), counts("7", "777", "0", "0"), times, fields{
		"orig.ip.tos": "184", "orig.tcp.flags": "27", "oob.ifindex_in": "2", "oob.ifindex_out": "3",
		"route.nexthop": "10.3.0.254", "route.src.plen": "24", "route.dst.plen": "16",
	})},
	want: []fields{with(wantTuple("10.3.0.1", "192.0.2.1", "6", "40001", "443"), wantTime, fields{
		"packetDeltaCount": "7", "octetDeltaCount": "777", "ipClassOfService": "184", "tcpControlBits": "27",
		"ingressInterface": "2", "egressInterface": "3", "ipNextHopIPv4Address": "10.3.0.254",
		"sourceIPv4PrefixLength": "24", "destinationIPv4PrefixLength": "16",
	})},
}}

// nfacctdPrimitives are all of nfacctd's own that tell of elements.
const nfacctdPrimitives = "src_mac,dst_mac,vlan,cos,src_host,dst_host,src_mask,dst_mask,proto,tos,src_port,dst_port,tcpflags,peer_dst_ip," +
	"nat_event,post_nat_src_host,post_nat_dst_host,post_nat_src_port,post_nat_dst_port,in_iface,out_iface,mpls_label_top," +
	"timestamp_start,timestamp_end"

var nfacctd = collectors.Nfacctd(nfacctdPrimitives)

// sent is what an exporter sends, and the program that a collector of it is.
type sent struct {
	output   string
	messages [][]byte
	cells    []cell
	program  string
}

// shows is the table's columns: programs as they are installed.
var shows = []struct {
	name string
	peer *collectors.Collector // that is started for it; nil: read runs the program
	read func(t *testing.T, s sent) []fields
}{
	{"nfdump", nil, func(t *testing.T, s sent) []fields { return readNfdump(t, s.messages) }},
	{"nfacctd", &nfacctd, func(t *testing.T, s sent) []fields { return s.readBy(t, &nfacctd, nfacctdShows) }},
	{"goflow2", &collectors.Goflow2, func(t *testing.T, s sent) []fields {
		return s.readBy(t, &collectors.Goflow2, goflow2Shows)
	}},
	{"Telegraf", &collectors.Telegraf, func(t *testing.T, s sent) []fields {
		return s.readBy(t, &collectors.Telegraf, telegrafShows)
	}},
	{"tshark", nil, func(t *testing.T, s sent) []fields {
		records := readTshark(t, s.messages)
		for _, f := range records {
			for _, unit := range []string{"Seconds", "Microseconds", "Nanoseconds"} {
				f["flowStart"+unit], f["flowEnd"+unit] = f["flowStartMilliseconds"], f["flowEndMilliseconds"]
			}
			for label, element := range map[string]string{"MPLS-Label1": "mplsTopLabelStackSection", "MPLS-Label2": "mplsLabelStackSection2"} {
				n, _, _ := strings.Cut(f[label], " ")
				section, _ := strconv.Atoi(n)
				f[element] = fmt.Sprint(section << 4)
			}
		}
		return records
	}},
}

// TestElementsShown sends what exporters send by default, and what fields can ask for, to each
// collector, and holds what it prints against docs/collectors.md: no element may be in a default
// template that none of them reads.
func TestElementsShown(t *testing.T) {
	// Biflows are the ledger's matter.
	cells := slices.DeleteFunc(slices.Clone(matrix), func(c cell) bool { return c.name == "biflow" })
	for i := range requested {
		c := requested[i]
		c.name = "requested " + c.name
		cells = append(cells, c)
	}
	said := elementTable(t)
	outputs := []sent{
		{output: "IPFIX", cells: cells},
		{output: "NETFLOW9", cells: asNetFlow9(cells)},
		{output: "NETFLOW5", cells: netflow5},
	}
	short := map[string]string{"IPFIX": "IPFIX", "NETFLOW9": "v9", "NETFLOW5": "v5"} // as the table has it
	for i := range outputs {
		o := &outputs[i]
		o.messages = export(t, o.output, o.cells)
	}
	for _, p := range shows {
		t.Run(p.name, func(t *testing.T) {
			program := ""
			if p.peer != nil {
				program = p.peer.Program(t)
			}
			for _, o := range outputs {
				if o.output == "NETFLOW5" && p.name == "tshark" {
					continue // it lays records of v5 out in another way; TestTsharkDissects of NETFLOW5 reads them
				}
				o.program = program
				t.Run(o.output, func(t *testing.T) {
					right := shownRight(t, p.read(t, o), o.cells)
					for element, ok := range right {
						said := said[element][p.name]
						if want := said == "yes" || slices.Contains(words(said), short[o.output]); want != ok || said == "" {
							t.Errorf("%s of %s: shown: %v, and docs/collectors.md says %q", element, o.output, ok, said)
						}
					}
				})
			}
		})
	}
}

// elementTable reads docs/collectors.md: what it says of each element, by the columns' names.
func elementTable(t *testing.T) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/collectors.md")
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]map[string]string{}
	var head []string
	for line := range strings.Lines(string(text)) {
		columns := strings.Split(strings.TrimSpace(line), "|")
		for i := range columns {
			columns[i] = strings.TrimSpace(columns[i])
		}
		switch {
		case len(columns) == len(shows)+3 && columns[1] == "element":
			head = columns
		case head == nil || len(columns) != len(head):
			head = nil
		case strings.HasPrefix(columns[1], "-"):
		default:
			for _, name := range words(columns[1]) {
				row := map[string]string{}
				for i, value := range columns {
					row[head[i]] = value
				}
				table[name] = row
				if !strings.Contains(strings.Join(columns[2:], " "), "yes") {
					t.Errorf("no collector shows %s", name)
				}
			}
		}
	}
	return table
}

// shownRight returns for each element whether all records that are shown have it right.
func shownRight(t *testing.T, got []fields, cells []cell) map[string]bool {
	t.Helper()
	var wanted []fields
	for _, c := range cells {
		wanted = append(wanted, c.want...)
	}
	// Those that tell most are found first: a collector may show a flow and its translation alike.
	slices.SortStableFunc(wanted, func(a, b fields) int { return len(b) - len(a) })
	right := map[string]bool{}
	for _, want := range wanted {
		var found fields
		found, got = take(got, want)
		switch {
		case found != nil:
		case want["sum.name"] == "":
			t.Errorf("not shown: %v", want)
			continue
		default: // of counters it shows none, as the row of their name says
			want = fields{"sum.name": want["sum.name"]}
		}
		for element, value := range want {
			before, again := right[element]
			right[element] = found[element] == value && (before || !again)
		}
	}
	return right
}

// readBy sends the messages to a collector in a namespace, and reads the objects that it prints,
// when it has printed something of each source.
func (s *sent) readBy(t *testing.T, c *collectors.Collector, show func(row map[string]any) fields) (records []fields) {
	t.Helper()
	ns := nstest.New(t)
	peer := c.Start(t, ns, s.program, s.output)
	ns.Do(t, func() {
		conn, err := net.Dial("udp4", "127.0.0.1:"+c.Port)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		for _, m := range s.messages {
			if _, err := conn.Write(m); err != nil {
				t.Error(err)
			}
			time.Sleep(100 * time.Millisecond) // goflow2 has several readers, which may overtake each other
		}
	})
	nstest.Eventually(t, time.Minute, func() error {
		printed := peer.Output()
		for _, c := range s.cells {
			for _, want := range c.want {
				if src := want["sourceIPv4Address"] + want["sourceIPv6Address"]; !strings.Contains(printed, `"`+src+`"`) && src != "" {
					return fmt.Errorf("%s prints nothing of %s", peer.Name, src)
				}
			}
		}
		return nil
	})
	for _, row := range collectors.Rows(peer.Stop(t)) {
		if f := show(row); f["sourceIPv4Address"] != "" || f["sourceIPv6Address"] != "" || f["sum.name"] != "" {
			records = append(records, f)
		}
	}
	return records
}

// named takes members of a row under the names of elements; %s is the IP version of the source.
func named(row map[string]any, names map[string]string) fields {
	f := fields{}
	for name, element := range names {
		v, ok := row[name]
		if !ok {
			continue
		}
		text := fmt.Sprint(v)
		if strings.Contains(element, "%s") {
			version := "IPv4"
			if strings.Contains(fmt.Sprint(row["src"], row["src_addr"], row["ip_src"]), ":") {
				version = "IPv6"
			}
			element = fmt.Sprintf(element, version)
		}
		f[element] = text
	}
	return f
}

var protocolNumbers = map[string]string{"tcp": "6", "udp": "17", "icmp": "1", "ipv6-icmp": "58"}

func nfacctdShows(row map[string]any) fields {
	f := named(row, map[string]string{
		"mac_src": "sourceMacAddress", "mac_dst": "destinationMacAddress", "vlan": "vlanId", "cos": "dot1qPriority",
		"ip_src": "source%sAddress", "ip_dst": "destination%sAddress", "mask_src": "source%sPrefixLength", "mask_dst": "destination%sPrefixLength",
		"port_src": "sourceTransportPort", "port_dst": "destinationTransportPort", "tcp_flags": "tcpControlBits", "tos": "ipClassOfService",
		"iface_in": "ingressInterface", "iface_out": "egressInterface", "peer_ip_dst": "ipNextHop%sAddress", "nat_event": "natEvent",
		"post_nat_ip_src": "postNATSource%sAddress", "post_nat_ip_dst": "postNATDestination%sAddress",
		"post_nat_port_src": "postNAPTSourceTransportPort", "post_nat_port_dst": "postNAPTDestinationTransportPort",
		"packets": "packetDeltaCount", "bytes": "octetDeltaCount",
	})
	label, _ := strconv.Atoi(fmt.Sprint(row["mpls_label_top"]))
	f["mplsTopLabelStackSection"] = fmt.Sprint(label << 4)
	f["packetTotalCount"], f["octetTotalCount"] = f["packetDeltaCount"], f["octetDeltaCount"]
	f["dot1qVlanId"] = f["vlanId"]
	f["protocolIdentifier"] = protocolNumbers[fmt.Sprint(row["ip_proto"])]
	for name, key := range map[string]string{"flowStart": "timestamp_start", "flowEnd": "timestamp_end", "observationTime": "timestamp_start"} {
		at, _ := time.Parse(time.DateTime, fmt.Sprint(row[key]))
		setTime(f, name, at)
	}
	return f
}

// setTime gives a time to its elements of all units, which are compared in milliseconds.
func setTime(f fields, name string, at time.Time) {
	for _, unit := range []string{"Seconds", "Milliseconds", "Microseconds", "Nanoseconds"} {
		f[name+unit] = fmt.Sprint(at.UnixMilli())
	}
}

func goflow2Shows(row map[string]any) fields {
	f := named(row, map[string]string{
		"bytes": "octetDeltaCount", "packets": "packetDeltaCount", "src_addr": "source%sAddress", "dst_addr": "destination%sAddress",
		"src_port": "sourceTransportPort", "dst_port": "destinationTransportPort", "in_if": "ingressInterface", "out_if": "egressInterface",
		"src_mac": "sourceMacAddress", "dst_mac": "destinationMacAddress", "vlan_id": "vlanId", "ip_tos": "ipClassOfService",
		"ip_ttl": "minimumTTL", "tcp_flags": "tcpControlBits", "fragment_id": "fragmentIdentification", "fragment_offset": "fragmentOffset",
		"next_hop": "ipNextHop%sAddress",
	})
	f["protocolIdentifier"] = protocolNumbers[strings.ToLower(fmt.Sprint(row["proto"]))]
	f["ipVersion"] = map[string]string{"IPv4": "4", "IPv6": "6"}[fmt.Sprint(row["etype"])]
	f["ipTTL"] = f["minimumTTL"]
	flags, _ := strconv.Atoi(fmt.Sprint(row["ip_flags"]))
	f["fragmentFlags"] = fmt.Sprint(flags << 5)
	typ, _ := strconv.Atoi(fmt.Sprint(row["icmp_type"]))
	code, _ := strconv.Atoi(fmt.Sprint(row["icmp_code"]))
	f["icmpTypeCodeIPv4"], f["icmpTypeCodeIPv6"] = fmt.Sprint(typ<<8|code), fmt.Sprint(typ<<8|code)
	for name, key := range map[string]string{"source": "src_net", "destination": "dst_net"} {
		_, length, _ := strings.Cut(fmt.Sprint(row[key]), "/")
		f[name+"IPv4PrefixLength"], f[name+"IPv6PrefixLength"] = length, length
	}
	if labels, ok := row["mpls_label"].([]any); ok {
		for i, l := range labels {
			n, _ := strconv.Atoi(fmt.Sprint(l))
			f[[]string{"mplsTopLabelStackSection", "mplsLabelStackSection2", "mplsLabelStackSection3"}[min(i, 2)]] = fmt.Sprint(n << 4)
		}
	}
	for name, key := range map[string]string{
		"flowStart": "time_flow_start_ns", "flowEnd": "time_flow_end_ns", "observationTime": "time_flow_start_ns",
	} {
		ns, _ := strconv.ParseInt(fmt.Sprint(row[key]), 10, 64)
		setTime(f, name, time.Unix(0, ns).Round(time.Millisecond))
	}
	return f
}

// telegrafShows: what Telegraf has no name for it shows under its number, in hexadecimal.
func telegrafShows(row map[string]any) fields {
	f := named(row, map[string]string{
		"in_bytes": "octetDeltaCount", "in_packets": "packetDeltaCount", "in_total_bytes": "octetTotalCount", "in_total_packets": "packetTotalCount",
		"src": "source%sAddress", "dst": "destination%sAddress", "src_mask": "source%sPrefixLength", "dst_mask": "destination%sPrefixLength",
		"src_port": "sourceTransportPort", "dst_port": "destinationTransportPort", "in_snmp": "ingressInterface", "out_snmp": "egressInterface",
		"src_tos": "ipClassOfService", "min_ttl": "minimumTTL", "max_ttl": "maximumTTL", "ttl": "ipTTL", "next_hop": "ipNextHop%sAddress",
		"in_src_mac": "sourceMacAddress", "in_dst_mac": "destinationMacAddress", "vlan_src": "vlanId", "flow_id": "flowId",
		"flow_start_ms": "flowStartMilliseconds", "flow_end_ms": "flowEndMilliseconds", "event_time_ms": "observationTimeMilliseconds",
		"xlat_src": "postNATSource%sAddress", "xlat_dst": "postNATDestination%sAddress", "nat_event": "natEvent",
		"xlat_src_port": "postNAPTSourceTransportPort", "xlat_dst_port": "postNAPTDestinationTransportPort",
		"fragment_id": "fragmentIdentification", "fragment_offset": "fragmentOffset", "eth_type": "ethernetType",
		"tcp_seq_number": "tcpSequenceNumber", "tcp_window_size": "tcpWindowSize", "ipv4_total_len": "totalLengthIPv4",
		"ipv4_inet_header_len": "ipv4IHL", "vlan_id": "dot1qVlanId", "vlan_priority": "dot1qPriority",
		"vlan_customer_id": "dot1qCustomerVlanId", "vlan_customer_priority": "dot1qCustomerPriority",
		"mpls_label_1": "mplsTopLabelStackSection", "mpls_label_2": "mplsLabelStackSection2", "flow_start": "flowStartSeconds",
		"flow_end": "flowEndSeconds",
	})
	f["protocolIdentifier"] = protocolNumbers[strings.ToLower(fmt.Sprint(row["protocol"]))]
	f["ipVersion"] = map[string]string{"IPv4": "4", "IPv6": "6"}[fmt.Sprint(row["ip_version"])]
	f["flowDirection"] = map[string]string{"ingress": "0", "egress": "1"}[fmt.Sprint(row["direction"])]
	f["flowEndReason"] = map[string]string{
		"idle timeout": "1", "active timeout": "2", "end of flow": "3", "forced end": "4", "lack of resources": "5",
	}[fmt.Sprint(row["flow_end_reason"])]
	typ, _ := strconv.Atoi(fmt.Sprint(row["icmp_type"]))
	code, _ := strconv.Atoi(fmt.Sprint(row["icmp_code"]))
	f["icmpTypeCodeIPv4"], f["icmpTypeCodeIPv6"] = fmt.Sprint(typ<<8|code), fmt.Sprint(typ<<8|code)
	if up, err := strconv.ParseInt(fmt.Sprint(row["sys_uptime"]), 10, 64); err == nil { // of NetFlow v5
		sent, _ := strconv.ParseInt(fmt.Sprint(row["timestamp"]), 10, 64)
		for name, key := range map[string]string{"flowStartMilliseconds": "first_switched", "flowEndMilliseconds": "last_switched"} {
			at, _ := strconv.ParseInt(fmt.Sprint(row[key]), 10, 64)
			f[name] = fmt.Sprint(sent/1e6 - up + at)
		}
	}
	bits := 0
	for i, c := range "FSRPAUEC" {
		if strings.ContainsRune(fmt.Sprint(row["tcp_flags"]), c) && row["tcp_flags"] != nil {
			bits |= 1 << i
		}
	}
	f["tcpControlBits"] = fmt.Sprint(bits)
	bits = 0
	for flag, bit := range map[string]int{"D": 0x40, "M": 0x20} {
		if strings.Contains(fmt.Sprint(row["fragment_flags"]), flag) && row["fragment_flags"] != nil {
			bits |= bit
		}
	}
	f["fragmentFlags"] = fmt.Sprint(bits)
	for name, v := range row {
		var pen uint32
		var id uint16
		if n, _ := fmt.Sscanf(name, "type_%d_%d", &pen, &id); n != 2 {
			pen = 0
			if n, _ := fmt.Sscanf(name, "type_%d", &id); n != 1 {
				continue
			}
		}
		if e, ok := lookup(pen, id); ok {
			data, _ := hex.DecodeString(strings.TrimPrefix(fmt.Sprint(v), "0x"))
			f[e.name] = e.show(data)
		}
	}
	for name, v := range f {
		switch {
		case strings.HasSuffix(name, "Seconds") && name != "" && v != "":
			f[name] = v + "000"
		case strings.HasPrefix(v, "0x"):
			if n, err := strconv.ParseUint(v[2:], 16, 64); err == nil {
				f[name] = fmt.Sprint(n)
			}
		}
	}
	return f
}
