// Settings that are wrong, and what they say; what they need of the kernel. Packets are looked at by test/e2e.
package dial

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/value"
	"ulogd/test/nstest"
)

// settings are those of some options.
func settings(t *testing.T, set ...string) (*Settings, error) {
	t.Helper()
	var o engine.Options
	s := &Settings{}
	s.Options(&o)
	for i := 0; i+1 < len(set); i += 2 {
		opt, ok := o.Lookup(set[i])
		if !ok {
			t.Fatalf("there is no option %s", set[i])
		}
		kind := value.String
		if strings.Trim(set[i+1], "0123456789") == "" {
			kind = value.Int
		}
		if _, err := opt.Set(engine.Value{Kind: kind, Text: set[i+1]}); err != nil {
			return nil, err
		}
	}
	return s, s.Validate()
}

func TestSettings(t *testing.T) {
	for _, c := range []struct{ name, value, wrong string }{
		{"dscp", "64", "must be from 0 to 63 or one of cs0, le, cs1"},
		{"dscp", "-1", "must be from 0 to 63"},
		{"dscp", "af14", "must be from 0 to 63"},
		{"dscp", "", `is ""`},
		{"dscp", "AF43", ""},
		{"dscp", "0x2e", ""},
		{"ttl", "256", "must be from 0 to 255"},
		{"ttl", "255", ""},
		{"source_port", "65536", "must be from 0 to 65535"},
		{"source_address", "here", `source_address: "here" is no IP address`},
		{"source_address", "fe80::1%lo", ""},
		{"bind_device", "sixteen-letters!", "bind_device: \"sixteen-letters!\" cannot be the name"},
		{"bind_device", "a b", "cannot be the name"},
	} {
		_, err := settings(t, c.name, c.value)
		if err == nil && c.wrong != "" || err != nil && (c.wrong == "" || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%s = %q: %v, want %q", c.name, c.value, err, c.wrong)
		}
	}
	for _, name := range Names() {
		value := map[string]string{"dscp": "ef", "source_address": "::1", "bind_device": "lo"}[name]
		if value == "" {
			value = "7"
		}
		s, err := settings(t, name, value)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Unused("nothing is sent"); err == nil || err.Error() != name+": nothing is sent; remove it" {
			t.Errorf("%s is set: %v", name, err)
		}
	}
	if s, _ := settings(t); s.Unused("nothing is sent") != nil {
		t.Error("nothing is set, and something is said to be")
	}
}

// Every code point's name is the registry's for its number: class selectors are multiples of 8, AFxy is
// 8x+2y (RFC 2597).
func TestCodePoints(t *testing.T) {
	for _, c := range codePoints {
		want := map[string]int{"le": 1, "va": 44, "ef": 46}[c.name] // RFC 8622, RFC 5865, RFC 3246
		switch {
		case strings.HasPrefix(c.name, "cs"):
			want = 8 * int(c.name[2]-'0')
		case strings.HasPrefix(c.name, "af"):
			want = 8*int(c.name[2]-'0') + 2*int(c.name[3]-'0')
		}
		if c.dscp != want {
			t.Errorf("%s is %d, want %d", c.name, c.dscp, want)
		}
	}
	if len(codePoints) != 8+12+3 {
		t.Errorf("%d names", len(codePoints))
	}
}

// What cannot be had is said with its option and the remedy.
func TestRefused(t *testing.T) {
	taken, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.LocalAddr().String())
	for _, c := range []struct{ name, value, want string }{
		{"bind_device", "nowhere0", "bind_device nowhere0: no such device; correct it, or make the interface: ip link show nowhere0"},
		{"source_port", port, "source_port " + port + " is another socket's (ss -anp sport = " + port + ")"},
	} {
		s, err := settings(t, c.name, c.value)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := s.Dial(context.Background(), "udp", "127.0.0.1:9")
		if err == nil {
			conn.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s = %s: %v, want %s", c.name, c.value, err, c.want)
		}
	}
	if err := (&Settings{device: "eth9"}).deviceError(unix.EPERM); !strings.Contains(err.Error(), "CAP_NET_RAW") {
		t.Error(err)
	}
}

// Ports of the privileged are for those who have the capability, which a port that others may take does not need.
func TestCapabilities(t *testing.T) {
	nstest.Need(t, "root")
	ns := nstest.New(t)
	s, _ := settings(t, "source_port", "514", "bind_device", "lo")
	ns.Do(t, func() {
		if list := s.Capabilities(); len(list) != 1 || list[0] != unix.CAP_NET_BIND_SERVICE {
			t.Errorf("port 514 needs %v", list)
		}
	})
	ns.Sysctl(t, "net.ipv4.ip_unprivileged_port_start", "514")
	ns.Do(t, func() {
		if list := s.Capabilities(); len(list) != 0 {
			t.Errorf("port 514, which is for anyone, needs %v", list)
		}
	})
	if _, err := os.Stat("/proc/sys/net/ipv4/ip_unprivileged_port_start"); err != nil && firstFreePort() != 1024 {
		t.Error("without the setting the first free port is not 1024")
	}
}
