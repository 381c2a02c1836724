// Whole stacks into clusters: franz-go's kfake, and librdkafka's mock cluster, whose own consumer
// reads the messages back.

package kafka_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	_ "ulogd/plugins/output/kafka"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// sent is when a packet was seen: lately, as brokers forget messages by their time.
var sent = time.Now().Truncate(time.Second).Add(-time.Nanosecond)

func setup(brokers []string, options ...string) stacktest.Setup {
	s := stacktest.Setup{
		Output: "KAFKA",
		Options: map[string]string{
			"brokers": strings.Join(brokers, ","), "topic": "flows", "flush_interval": "10ms", "reconnect": "100ms",
		},
		Shape: []stacktest.Record{
			{
				{Name: "oob.family", Value: "2"},
				{Name: "oob.prefix", Value: "say \"in\",\n"},
				{Name: "ip.saddr", Value: "10.0.0.1"},
				{Name: "ip.daddr", Value: "10.0.0.2"},
				{Name: "oob.mark", Value: "4294967295"},
				{Name: "oob.time", Value: fmt.Sprint(sent.UnixNano())},
			},
			{
				{Name: "oob.family", Value: "10"},
				{Name: "oob.prefix", Value: "\xff"},
				{Name: "ip.saddr", Value: "2001:db8::1"},
				{Name: "ip.daddr", Value: "2001:db8::2"},
			},
		},
	}
	for _, o := range options {
		name, text, _ := strings.Cut(o, "=")
		s.Options[name] = text
	}
	return s
}

func cluster(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(3), kfake.SeedTopics(4, "flows")}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// consume returns n messages of the topic, and any that come within a moment after them.
func consume(t *testing.T, c *kfake.Cluster, n int, options ...kgo.Opt) (list []*kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics("flows"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for {
		wait := time.Minute
		if len(list) >= n {
			wait = 300 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		fetches := client.PollFetches(ctx)
		cancel()
		list = append(list, fetches.Records()...)
		if fetches.NumRecords() == 0 {
			return list
		}
	}
}

func TestFormats(t *testing.T) {
	for format, want := range map[string][]string{
		"json": {
			`{"timestamp": "` + sent.UTC().Format("2006-01-02T15:04:05.000000Z") + `", "oob.family": 2, "oob.prefix": "say \"in\",\n", "ip.saddr": "10.0.0.1", ` +
				`"ip.daddr": "10.0.0.2", "oob.mark": 4294967295, "oob.time": ` + fmt.Sprint(sent.UnixNano()) + `}`,
			`"oob.family": 10, "oob.prefix": "\ufffd", "ip.saddr": "2001:db8::1", "ip.daddr": "2001:db8::2"}`,
		},
		"csv": {"2,\"say \"\"in\"\",\n\",10.0.0.1,10.0.0.2,4294967295," + fmt.Sprint(sent.UnixNano()), "10,\ufffd,2001:db8::1,2001:db8::2,,"},
		"protobuf": {
			"ip_daddr: \"\\n\\000\\000\\002\"\nip_saddr: \"\\n\\000\\000\\001\"\noob_family: 2\noob_mark: 4294967295\n" +
				"oob_prefix: \"say \\\"in\\\",\\n\"\noob_time: " + fmt.Sprint(sent.UnixNano()),
			"ip_daddr: \" \\001\\r\\270\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\002\"\n" +
				"ip_saddr: \" \\001\\r\\270\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\000\\001\"\noob_family: " +
				"10\noob_prefix: \"\\357\\277\\275\"",
		},
	} {
		t.Run(format, func(t *testing.T) {
			if format == "protobuf" {
				nstest.Need(t, "tool:protoc")
			}
			c := cluster(t)
			setup(c.ListenAddrs(), "format="+format, "headers=site=north", "key=source").Run(t)
			list := consume(t, c, 2)
			slices.SortFunc(list, func(a, b *kgo.Record) int { return a.Timestamp.Compare(b.Timestamp) })
			if len(list) != 2 {
				t.Fatalf("there are %d messages, want 2", len(list))
			}
			for i, r := range list {
				got := string(r.Value)
				if format == "protobuf" {
					got = decode(t, r.Value)
				}
				if format == "json" && !json.Valid(r.Value) {
					t.Errorf("it is no JSON: %s", got)
				}
				if i == 1 && format == "json" {
					_, rest, _ := strings.Cut(got, `, `)
					got = rest
				}
				if got != want[i] {
					t.Errorf("message %d is\n%s\nwant\n%s", i, got, want[i])
				}
				if len(r.Headers) != 1 || r.Headers[0].Key != "site" || string(r.Headers[0].Value) != "north" {
					t.Errorf("its headers are %v", r.Headers)
				}
			}
			if got := string(list[0].Key); got != "10.0.0.1" {
				t.Errorf("the key is %q", got)
			}
			if got := list[0].Timestamp.UnixMilli(); got != sent.UnixMilli() {
				t.Errorf("the message's time is %d", got)
			}
		})
	}
}

// decode has protobuf's own compiler decode a message. It sorts the fields by number; they are
// sorted by name here.
func decode(t *testing.T, p []byte) string {
	t.Helper()
	c := exec.Command("protoc", "--decode=ulogd.Record", "ulogd.proto")
	c.Stdin = bytes.NewReader(p)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// Both directions of a flow have the same key.
func TestFlowKey(t *testing.T) {
	c := cluster(t)
	s := setup(c.ListenAddrs())
	back := s.Shape[0].With("ip.saddr", "10.0.0.2").With("ip.daddr", "10.0.0.1")
	other := s.Shape[0].With("ip.saddr", "10.0.0.3")
	st := s.Start(t)
	st.Send(s.Shape[0], back, other)
	st.End()
	keys := map[string]int{}
	for _, r := range consume(t, c, 3) {
		keys[string(r.Key)]++
	}
	if len(keys) != 2 {
		t.Errorf("the keys are %v, want two, one of them twice", keys)
	}
}

func numbered(s stacktest.Setup, from, n int) (list []stacktest.Record) {
	for i := range n {
		list = append(list, s.Shape[0].With("oob.mark", strconv.Itoa(from+i)))
	}
	return list
}

// once fails the test unless the marks 0 to n-1 are there once each.
func once(t *testing.T, list []*kgo.Record, n int) {
	t.Helper()
	seen := map[string]int{}
	for _, r := range list {
		seen[string(mark.Find(r.Value))]++
	}
	if len(list) != n || len(seen) != n {
		t.Errorf("%d messages are there, %d of them different; want %d", len(list), len(seen), n)
	}
}

var mark = regexp.MustCompile(`"oob.mark": \d+`)

// Leaders move, brokers answer with errors, and go away after they have written: each message is
// there once.
func TestBrokersMove(t *testing.T) {
	c := cluster(t)
	n := 0
	c.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		switch n++; n % 4 {
		case 1:
			return nil, errors.New("the connection breaks"), true
		case 2:
			produce := req.(*kmsg.ProduceRequest)
			for i := range 4 {
				c.MoveTopicPartition("flows", int32(i), int32((n+i)%3))
			}
			_ = produce
		}
		return nil, nil, false
	})
	s := setup(c.ListenAddrs())
	st := s.Start(t)
	for i := range 20 {
		st.Send(numbered(s, i*500, 500)...)
		st.Eventually("go on", func() bool { return st.Stats().Out >= int64(i*500) })
	}
	st.End()
	if n < 8 {
		t.Errorf("there were only %d requests", n)
	}
	once(t, consume(t, c, 10000), 10000)
}

// Rows that are older than anybody waits for a broker, as those of a file or of a spool, survive a request that fails.
func TestOldRows(t *testing.T) {
	c := cluster(t)
	broken := false
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if broken {
			return nil, nil, false
		}
		broken = true
		return nil, errors.New("the connection breaks"), true
	})
	s := setup(c.ListenAddrs())
	st := s.Start(t)
	old := strconv.FormatInt(time.Now().Add(-time.Hour).UnixNano(), 10)
	recs := numbered(s, 0, 100)
	for i := range recs {
		recs[i] = recs[i].With("oob.time", old)
	}
	st.Send(recs...)
	st.Eventually("take them", func() bool { return st.Stats().Out == 100 })
	st.End()
	for _, r := range st.Stats().Counters {
		if r.Name == "connections" && r.Value != 1 {
			t.Errorf("%d connections were made, for one request that failed", r.Value)
		}
	}
	once(t, consume(t, c, 100), 100)
}

// A cluster that is not there at the start, and a topic that does not exist yet, are waited for.
func TestWaits(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s := setup(c.ListenAddrs())
	st := s.Start(t)
	st.Send(numbered(s, 0, 100)...)
	st.Eventually("say so", func() bool { return st.Log.Has("the topic flows does not exist; create it") })
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "flows", 2, 1
	req.Topics = append(req.Topics, topic)
	res, err := req.RequestWith(context.Background(), client)
	if err != nil || kerr.ErrorForCode(res.Topics[0].ErrorCode) != nil {
		t.Fatal(err, res)
	}
	st.End()
	once(t, consume(t, c, 100), 100)
}

// A message that is too large costs itself alone.
func TestTooLarge(t *testing.T) {
	c := cluster(t)
	s := setup(c.ListenAddrs(), "compression=none", "buffer=8MiB")
	s.Shape[0] = s.Shape[0].With("oob.prefix", "")
	recs := numbered(s, 0, 300)
	recs[100] = recs[100].With("oob.prefix", strings.Repeat("x", 1100000))
	st := s.Start(t)
	st.Send(recs...)
	st.End()
	if n := st.Stats().Dropped; n != 1 {
		t.Errorf("%d are dropped, want 1", n)
	}
	if !st.Log.Has("MESSAGE_TOO_LARGE") {
		t.Errorf("the log does not say why:\n%s", st.Log)
	}
	once(t, consume(t, c, 299), 299)
}

// SASL is spoken with each mechanism; a wrong password is said, and never shown.
func TestUsers(t *testing.T) {
	for mechanism, name := range map[string]string{
		"plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256",
		"scram-sha-512": "SCRAM-SHA-512",
	} {
		c := cluster(t, kfake.EnableSASL(), kfake.Superuser(name, "me", "secret word"))
		setup(c.ListenAddrs(), "sasl="+mechanism, "user=me", "pass=secret word").Run(t)
		s := setup(c.ListenAddrs(), "sasl="+mechanism, "user=me", "pass=other secret")
		st := s.Start(t)
		st.Machine.Patience = 100 * time.Millisecond
		st.Send(s.Shape...)
		st.Eventually("be refused", func() bool { return st.Log.Has("cannot connect") })
		st.End()
		if strings.Contains(st.Log.String()+fmt.Sprintf("%+v", st.Stats()), "secret") {
			t.Errorf("%s: the password is shown: %s", mechanism, st.Log)
		}
	}
}

// Brokers are spoken to by TLS, if somebody who is trusted vouches for them.
func TestTLS(t *testing.T) {
	web := httptest.NewUnstartedServer(nil) // it has a certificate of 127.0.0.1
	web.StartTLS()
	web.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	c := cluster(t, kfake.TLS(&tls.Config{Certificates: web.TLS.Certificates}))
	setup(c.ListenAddrs(), "tls=true", "ca="+ca).Run(t)
	s := setup(c.ListenAddrs(), "tls=true")
	st := s.Start(t)
	st.Machine.Patience = 100 * time.Millisecond
	st.Send(s.Shape...)
	st.Eventually("not be trusted", func() bool { return st.Log.Has("certificate signed by unknown authority") })
	st.End()
	trusted := x509.NewCertPool()
	trusted.AddCert(web.Certificate())
	if got := consume(t, c, 2, kgo.DialTLSConfig(&tls.Config{RootCAs: trusted})); len(got) != 2 {
		t.Errorf("%d messages, want the 2 of who trusted", len(got))
	}
}

// librdkafka's own brokers and consumer get every message once.
func TestLibrdkafka(t *testing.T) {
	nstest.Need(t, "native", "tool:kcat")
	c := exec.Command("kcat", "-b", "none", "-C", "-t", "flows", "-X", "test.mock.num.brokers=3", "-d", "mock", "-u",
		"-q", "-c", "5000",
		"-o", "beginning", "-f", "%k %h %s\n")
	errs, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c.Stdout = &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(time.Minute, func() { c.Process.Kill() })
	defer kill.Stop()
	brokers := ""
	lines := bufio.NewScanner(errs)
	for brokers == "" && lines.Scan() {
		if m := regexp.MustCompile(`bootstrap.servers=(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			brokers = m[1]
		}
	}
	go func() {
		for lines.Scan() {
		}
	}()
	s := setup(strings.Split(brokers, ","), "headers=site=north", "broker_version=2.3")
	st := s.Start(t)
	st.Send(numbered(s, 0, 5000)...)
	st.Eventually("produce", func() bool { return st.Stats().Out == 5000 })
	st.End()
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(out.String()) {
		if !regexp.MustCompile(`^[0-9a-f]{8} site=north \{"timestamp": `).MatchString(line) {
			t.Fatalf("a message is %s", line)
		}
		seen[string(mark.Find([]byte(line)))] = true
	}
	if len(seen) != 5000 {
		t.Errorf("%d different messages came, want 5000", len(seen))
	}
}

func TestRefusals(t *testing.T) {
	for option, want := range map[string]string{
		"source_port=9": "source_port: must be 0",
		"brokers=x":     `brokers: "x" is not host:port`, "acks=leader": "acks: must be \"all\"", "sasl=plain": "user: must be set",
		"headers=x": "headers: \"x\" is not NAME=VALUE", "broker_version=x": "broker_version: \"x\" is no release", "topic=": "topic: must not be empty", "ca=x": "tls: must be true",
	} {
		if got := setup([]string{"127.0.0.1:1"}, option).Refusal(t); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", option, got, want)
		}
	}
}
