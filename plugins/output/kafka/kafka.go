// Package kafka is the KAFKA output: a message for each record.
package kafka

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kversion"

	"ulogd/engine"
	"ulogd/engine/doctor"
	"ulogd/plugins/output/store"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "KAFKA",
		Doc: `Produces a message for each record to a topic of Apache Kafka, or of what speaks its protocol. The message's
time is flow.end, ct.end, flow.start or oob.time, the first that the record has, else that of sending; brokers that
delete by age go by it.

json is an object as output JSON writes it, with the same names and values, but with addresses, with raw data in
hexadecimal, and with a time stamp in UTC. protobuf is the message Record of plugins/output/kafka/ulogd.proto; keys
that are not in it are left out. csv is a line without a header, with the values of keys, in its order, empty where
the record lacks one.

With key = "flow" all messages of a flow, of both directions, have the same key and so go to the same partition; with
"source" those of a source address.

What the cluster does not take waits in buffer and spool. With idempotent = true a message is in the topic once,
however often connections break, as long as the daemon runs and goes on with the same cluster; without, and for what
the next run finds in the spool, it may be there twice. Messages that the cluster finds too large are counted as
refused. A topic that does not exist is waited for.`,
		Example: `stack = "ct1:NFCT,kafka1:KAFKA"

[kafka1]
brokers = ["kafka1.example.org:9093", "kafka2.example.org:9093"]
topic = "flows"
tls = true
sasl = "scram-sha-512"
user = "ulogd"
pass_file = "/etc/ulogd/kafka.pass"
spool = "/var/spool/ulogd/kafka"
`,
		Output: func() engine.Output { return &kafka{} },
	})
}

type kafka struct {
	store.Output

	brokers            []string
	topic, key, format string
	compression, acks  string
	linger, metadata   time.Duration
	idempotent, tls    bool
	ca, cert, certKey  string
	sasl, user         string
	version            string
	pass               store.Secret
	headers            []string
	selection          engine.Selection
	names              map[string]string // of keys in JSON, where they have others there
	taken              progress
}

// The optional parts of the contract that it implements (engine/plugin.go).
var (
	_ engine.Validator = (*kafka)(nil)
	_ engine.Doctored  = (*kafka)(nil)
)

func (o *kafka) Options(opts *engine.Options) {
	opts.Strings(&o.brokers, "brokers", []string{"127.0.0.1:9092"}, "host:port of some brokers; they tell of the others")
	opts.String(&o.topic, "topic", "ulogd", "name of the topic")
	opts.Enum(&o.key, "key", "flow", []string{"flow", "source", "none"}, "the message's key, which chooses its partition")
	opts.Enum(&o.format, "format", "json", []string{"json", "protobuf", "csv"}, "what a message is")
	opts.Enum(&o.compression, "compression", "lz4", []string{"none", "gzip", "snappy", "lz4", "zstd"},
		"of batches of messages")
	opts.Enum(&o.acks, "acks", "all", []string{"all", "leader", "none"},
		"who must have a message before it counts as written")
	opts.Seconds(&o.linger, "linger", 5*time.Millisecond,
		"how long messages for a partition gather within a batch of records")
	opts.Bool(&o.idempotent, "idempotent", true,
		"have brokers know a message again that is sent twice; needs acks = \"all\"")
	opts.Seconds(&o.metadata, "metadata_refresh", 5*time.Minute,
		"how often brokers are asked who leads which partition, at least")
	opts.String(&o.version, "broker_version", "",
		"speak no newer protocol than that of this release of Kafka, such as 2.3; unset: brokers are asked")
	opts.Bool(&o.tls, "tls", false, "speak TLS, and verify the brokers' certificates")
	opts.String(&o.ca, "ca", "", "file of certificates, in PEM, that vouch for brokers; unset: those of the system")
	opts.Reads("ca")
	opts.String(&o.cert, "cert", "", "file of the certificate, in PEM, that is shown to brokers")
	opts.Reads("cert")
	opts.String(&o.certKey, "cert_key", "", "file of its private key, in PEM")
	opts.Reads("cert_key")
	opts.Enum(&o.sasl, "sasl", "none", []string{"none", "plain", "scram-sha-256", "scram-sha-512"},
		"how user and password are told")
	opts.String(&o.user, "user", "", "name of the user")
	o.pass.Declare(opts, "pass")
	opts.Strings(&o.headers, "headers", nil, "NAME=VALUE of headers that every message has")
	opts.Strings(&o.selection.Keys, "keys", nil,
		"keys that messages have, in this order; unset: every key of the stack but whole packets")
	o.Declare(opts)
	o.DeclareNetwork(opts)
	o.DeclareReconnect(opts)
}

func (o *kafka) Validate() error {
	if len(o.brokers) == 0 {
		return errors.New("brokers: must not be empty")
	}
	for _, b := range o.brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			return fmt.Errorf("brokers: %q is not host:port", b)
		}
	}
	for _, h := range o.headers {
		if name, _, ok := strings.Cut(h, "="); !ok || name == "" {
			return fmt.Errorf("headers: %q is not NAME=VALUE", h)
		}
	}
	switch {
	case o.topic == "":
		return errors.New("topic: must not be empty")
	case o.idempotent && o.acks != "all":
		return errors.New(`acks: must be "all" where idempotent is true; set idempotent = false`)
	case o.version != "" && kversion.FromString(o.version) == nil:
		return fmt.Errorf("broker_version: %q is no release of Kafka, such as 2.3", o.version)
	case o.sasl != "none" && o.user == "":
		return errors.New("user: must be set for sasl")
	case (o.cert == "") != (o.certKey == ""):
		return errors.New("cert: needs cert_key, and cert_key cert")
	case (o.ca != "" || o.cert != "") && !o.tls:
		return errors.New("tls: must be true where ca or cert is set")
	case o.OnePort():
		return errors.New("source_port: must be 0, as there are several connections to a broker")
	}
	return o.Output.Validate()
}

func (o *kafka) Bind(p *engine.Binder) engine.Stage {
	fields := store.Selected(p, &o.selection)
	if o.names == nil {
		o.names = map[string]string{}
	}
	for i := range fields {
		if name := fields[i].Key.CIM; name != "" {
			o.names[fields[i].Name] = name
		}
	}
	return o.BindStore(p, o, fields)
}

// Doctor looks whether brokers can be found.
func (o *kafka) Doctor(d *engine.DoctorReport) {
	o.Output.Doctor(d)
	for _, b := range o.brokers {
		if host, _, err := net.SplitHostPort(b); err == nil {
			doctor.Resolves(d, host)
		}
	}
}

// Name implements store.Store.
func (o *kafka) Name() string { return strings.Join(o.brokers, ",") + "/" + o.topic }
