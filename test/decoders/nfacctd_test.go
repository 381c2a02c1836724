package decoders

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ulogd/test/nstest"
)

// nfacctdOwn are elements that nfacctd has names for, and what it writes them under. The others are
// taught to it by number.
var nfacctdOwn = map[string]struct{ primitive, key string }{
	"sourceIPv4Address": {"src_host", "ip_src"}, "destinationIPv4Address": {"dst_host", "ip_dst"}, "sourceTransportPort": {"src_port", "port_src"},
	"destinationTransportPort": {"dst_port", "port_dst"}, "ingressInterface": {"in_iface", "iface_in"}, "egressInterface": {"out_iface", "iface_out"},
	"vlanId": {"vlan", "vlan"}, "sourceMacAddress": {"src_mac", "mac_src"}, "destinationMacAddress": {"dst_mac", "mac_dst"}, "ipClassOfService": {"tos", "tos"},
	"natEvent": {"nat_event", "nat_event"}, "postNATSourceIPv4Address": {"post_nat_src_host", "post_nat_ip_src"}, "postNATDestinationIPv4Address": {"post_nat_dst_host", "post_nat_ip_dst"},
	"postNAPTSourceTransportPort": {"post_nat_src_port", "post_nat_port_src"}, "postNAPTDestinationTransportPort": {"post_nat_dst_port", "post_nat_port_dst"},
	"flowStartMilliseconds": {"timestamp_start", "timestamp_start"}, "flowEndMilliseconds": {"timestamp_end", "timestamp_end"},
	"sourceIPv4PrefixLength": {"src_mask", "mask_src"}, "destinationIPv4PrefixLength": {"dst_mask", "mask_dst"}, "ipNextHopIPv4Address": {"peer_dst_ip", "peer_ip_dst"},
}

// readNfacctd lets nfacctd read the messages from a capture file.
func readNfacctd(t *testing.T, messages [][]byte) (records []fields) {
	nstest.Need(t, "tool:nfacctd")
	dir := t.TempDir()
	var aggregate, taught []string
	for _, e := range asked() {
		if own, ok := nfacctdOwn[e.name]; ok {
			aggregate = append(aggregate, own.primitive)
			continue
		}
		name := nfacctdName(e)
		if strings.HasSuffix(e.name, "cpControlBits") { // as they are sent by default
			e.size = 1
		}
		size, kind := fmt.Sprint(e.size), map[kind]string{number: "u_int", address: "ip", hardware: "mac", text: "str", raw: "raw"}[e.kind]
		if e.size == 0 {
			size = "vlen"
		}
		taught = append(taught, fmt.Sprintf("name=%s field_type=%d:%d len=%s semantics=%s\n", name, e.pen, e.id, size, kind))
		aggregate = append(aggregate, name)
	}
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	out := filepath.Join(dir, "out.json")
	text := fmt.Sprintf("daemonize: false\nplugins: print\nprint_output: json\nprint_output_file: %s\nprint_refresh_time: 3600\naggregate: %s\naggregate_primitives: %s\n"+
		"timestamps_since_epoch: true\nnfacctd_time_new: true\nnfacctd_net: netflow\nuse_ip_next_hop: "+
		"true\nnfacctd_renormalize: true\npcap_savefile: %s\n",
		out, strings.Join(aggregate, ","), put("primitives", strings.Join(taught, "")), capture(t, messages))
	var data, log []byte
	var err error
	for try := range 5 { // on a loaded machine it may end before its own process for the output has begun: it begins to read later
		config := put("nfacctd.conf", fmt.Sprintf("%spcap_savefile_delay: %d\n", text, 2<<try))
		if log, err = exec.Command("nfacctd", "-f", config).CombinedOutput(); err != nil {
			t.Fatalf("nfacctd: %v\n%s", err, log)
		}
		if data, err = os.ReadFile(out); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	for line := range bytes.Lines(data) {
		var row map[string]any
		d := json.NewDecoder(bytes.NewReader(line))
		d.UseNumber()
		if err := d.Decode(&row); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		records = append(records, nfacctdFields(row))
	}
	return records
}

func nfacctdName(e element) string { return fmt.Sprintf("ie_%d_%d", e.pen, e.id) }

func nfacctdFields(row map[string]any) fields {
	f := fields{"packets": fmt.Sprint(row["packets"])} // what it counts
	six := strings.Contains(fmt.Sprint(row["ip_src"]), ":")
	for _, e := range asked() {
		key, name := nfacctdName(e), e.name
		if own, ok := nfacctdOwn[name]; ok {
			key = own.key
			if six && !strings.HasPrefix(name, "post") {
				name = strings.Replace(name, "IPv4", "IPv6", 1)
			}
		} else if six4 := strings.Replace(name, "IPv6", "IPv4", 1); six4 != name && nfacctdOwn[six4].key != "" && !strings.HasPrefix(name, "post") {
			continue // it has one name for both
		}
		value := fmt.Sprint(row[key])
		switch {
		case strings.HasPrefix(key, "timestamp_"):
			value = strings.TrimSuffix(strings.Replace(value, ".", "", 1), "000")
		case e.kind == raw:
			value = strings.ToLower(strings.ReplaceAll(value, "-", ""))
		}
		f[name] = value
	}
	return f
}
