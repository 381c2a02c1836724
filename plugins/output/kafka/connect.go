// The client: brokers, TLS, users.

package kafka

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"ulogd/engine"
	"ulogd/plugins/output/dial"
	"ulogd/plugins/output/store"
)

// patience is how long a message waits for a broker before the cluster counts as away.
const patience = 10 * time.Second

var compressions = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

var acknowledgements = map[string]kgo.Acks{"all": kgo.AllISRAcks(), "leader": kgo.LeaderAck(), "none": kgo.NoAck()}

// Connect makes a client and has a broker answer.
func (o *kafka) Connect(ctx context.Context, env *engine.Env, _ []*store.Shape) (store.Conn, error) {
	options, err := o.clientOptions()
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, err
	}
	if err := client.Ping(ctx); err != nil {
		client.Close()
		return nil, err
	}
	c := &conn{output: o, client: client, env: env, encoders: map[*store.Shape]*encoder{}}
	for _, h := range o.headers {
		name, value, _ := strings.Cut(h, "=")
		c.headers = append(c.headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	return c, nil
}

func (o *kafka) clientOptions() ([]kgo.Opt, error) {
	options := []kgo.Opt{
		kgo.SeedBrokers(o.brokers...), kgo.DefaultProduceTopic(o.topic), kgo.ClientID("ulogd"),
		kgo.RequiredAcks(acknowledgements[o.acks]), kgo.ProducerLinger(o.linger), kgo.MetadataMaxAge(o.metadata),
		kgo.MetadataMinAge(min(time.Second, o.metadata)),
		kgo.ProducerBatchCompression(compressions[o.compression], kgo.NoCompression()),
		kgo.MaxBufferedRecords(1 << 22), // a batch of rows is what is buffered
		kgo.UnknownTopicRetries(4),
	}
	if o.version != "" {
		options = append(options, kgo.MaxVersions(kversion.FromString(o.version)))
	}
	if !o.idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	connect := o.Dial
	if o.tls {
		config, err := dial.TLS(o.ca, o.cert, o.certKey)
		if err != nil {
			return nil, err
		}
		connect = func(ctx context.Context, network, address string) (net.Conn, error) {
			return o.dialTLS(ctx, config, network, address)
		}
	}
	options = append(options, kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return connect(ctx, network, address)
	}))
	if o.sasl != "none" {
		pass, err := o.pass.Read()
		if err != nil {
			return nil, err
		}
		options = append(options, kgo.SASL(mechanism(o.sasl, o.user, pass)))
	}
	return options, nil
}

// dialTLS connects and checks the broker's certificate.
func (o *kafka) dialTLS(ctx context.Context, config *tls.Config, network, address string) (net.Conn, error) {
	c, err := o.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	config = config.Clone()
	config.ServerName, _, _ = net.SplitHostPort(address)
	return dial.Secure(ctx, c, config)
}

func mechanism(name, user, pass string) sasl.Mechanism {
	switch name {
	case "plain":
		return plain.Auth{User: user, Pass: pass}.AsMechanism()
	case "scram-sha-256":
		return scram.Auth{User: user, Pass: pass}.AsSha256Mechanism()
	}
	return scram.Auth{User: user, Pass: pass}.AsSha512Mechanism()
}
