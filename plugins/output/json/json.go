// Package json is the JSON output: one object per line, to a file or a socket.
package json

import (
	"errors"
	"fmt"
	"net"
	"time"

	"ulogd/engine"
	"ulogd/engine/text"
	"ulogd/plugins/output/sink"
	"ulogd/plugins/output/sink/logfile"
	"ulogd/plugins/output/sink/peer"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "JSON",
		Doc: `Writes one JSON object per line, with the valid keys in the order of the stack, to a file, over TCP or UDP, or
to a stream Unix socket.

Some keys have names of the Common Information Model: src_ip, dest_ip, src_port, dest_port. Addresses and raw data are
left out unless keys names them; IP2STR gives addresses as text. The time stamp is that of the packet, or of writing
where there is none, in local time; the offset from UTC is left out where it is zero, as ulogd2 does. Bytes that are
no UTF-8 become U+FFFD.

Over sockets the daemon starts without the peer, connects again when the connection breaks, and keeps records in the
output's queue meanwhile.`,
		Example: `stack = "log1:NFLOG,base1:BASE,ifi1:IFINDEX,ip2str1:IP2STR,json1:JSON"

[log1]
group = 1

[json1]
file = "/var/log/ulogd.json"
`,
		Output: func() engine.Output { return &json{} },
	})
}

type json struct {
	sink.Sink
	file logfile.File
	peer peer.Peer

	mode, host, port             string
	device                       string
	timestamp, eventv1, boolable bool
	keys                         engine.Selection
	nested                       bool
	separator                    string

	clock  text.Second
	offset []byte // from UTC, of the clock's second
}

// The optional parts of the contract that it implements (engine/plugin.go).
var _ engine.Validator = (*json)(nil)

func (j *json) Options(o *engine.Options) {
	j.file.Declare(o, "/var/log/ulogd.json")
	o.Bool(&j.timestamp, "timestamp", true,
		"add a time stamp: the packet's time, of a file's flow its end, else the time of writing")
	o.Bool(&j.eventv1, "eventv1", false, "add @version and call the time stamp @timestamp, as logstash has them")
	o.String(&j.device, "device", "Netfilter", "value of the member dvc")
	o.Bool(&j.boolable, "boolean_label", false, `show raw.label as "action": "allowed", or "blocked" when it is 0`)
	o.Enum(&j.mode, "mode", "file", []string{"file", "tcp", "udp", "unix"}, "where to write: to file, to host and port, or to the stream Unix socket that file names")
	o.String(&j.host, "host", "127.0.0.1", "name or address of the peer; over udp a name is looked up again every minute")
	o.String(&j.port, "port", "12345", "port number or name of a service")
	j.keys.Options(o)
	o.Bool(&j.nested, "nested", false, "an object for each part of a key's name, such as {\"ct\": {\"mark\": 1}}. A "+
		"key that others continue, as ct.zone.orig does ct.zone, is the member value of theirs: {\"zone\": {\"value\": "+
		"1, \"orig\": 1}}")
	o.String(&j.separator, "separator", ".", "what stands between the parts of a key's name in place of a "+
		"point, such as _: Elasticsearch takes ct.zone beside ct.zone.orig for a number and an object in one")
	j.peer.From.Options(o)
}

func (j *json) Validate() error {
	if j.nested && j.separator != "." {
		return errors.New("separator: nested = true leaves nothing between the parts of names; remove one of them")
	}
	if j.mode != "tcp" && j.mode != "udp" {
		return j.peer.From.Unused("mode = " + j.mode + " sends nothing to another machine; set mode = tcp or udp")
	}
	if _, err := net.LookupPort("tcp", j.port); err != nil {
		return fmt.Errorf("port: %q is neither a number up to 65535 nor a known service", j.port)
	}
	return j.peer.From.Validate()
}

func (j *json) Bind(p *engine.Binder) engine.Stage {
	j.clock.Format = func(dst []byte, t time.Time) []byte {
		if j.offset = t.AppendFormat(j.offset[:0], "-0700"); string(j.offset) == "+0000" {
			j.offset = j.offset[:0]
		}
		return t.AppendFormat(dst, "2006-01-02T15:04:05")
	}
	return j.bindStage(p)
}

// target returns where objects go.
func (j *json) target() sink.Target {
	switch j.mode {
	case "file":
		return &j.file
	case "unix":
		j.peer.Network, j.peer.Address = "unix", j.file.Path
	default:
		j.peer.Network, j.peer.Address = j.mode, net.JoinHostPort(j.host, j.port)
	}
	return &j.peer
}
