//go:build !small

package stacks_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ulogd/conf"
	"ulogd/engine"
	"ulogd/stacks"
)

// TestListenerThatOthersCouldReadIsRefused holds every rule about who may reach the listener.
func TestListenerThatOthersCouldReadIsRefused(t *testing.T) {
	const token, tls, ca = "http_token_file = \"t\"\n", "http_cert = \"c\"\nhttp_key = \"k\"\n", "http_client_ca = \"a\"\n"
	for _, c := range []struct{ options, want string }{
		{`http = "127.0.0.1:9477"`, "3: [global] http: other users of this host could read the flows: set http_token_file"},
		{`http = "127.0.0.1:9477"` + "\n" + token, ""},
		{`http = "localhost:9477"` + "\n" + token, ""},
		{`http = "[::1]:9477"` + "\n" + token, ""},
		{`http = "127.0.0.1:9477"` + "\n" + tls, "could read the flows"},
		{`http = "127.0.0.1:9477"` + "\n" + tls + ca, ""},
		{`http = "/run/ulogd/http.sock"`, ""},
		{`http = "unix:http.sock"`, ""},
		{`http = "/run/ulogd/http.sock"` + "\n" + tls, "a unix socket has no TLS"},
		{`http = "0.0.0.0:9477"` + "\n" + token, "http: 0.0.0.0:9477 can be reached from other hosts, so it needs TLS: set http_cert"},
		{`http = ":9477"` + "\n" + token, "can be reached from other hosts"},
		{`http = "192.0.2.1:9477"` + "\n" + tls, "could read the flows"},
		{`http = "192.0.2.1:9477"` + "\n" + tls + token, ""},
		{`http = "192.0.2.1:9477"` + "\n" + tls + ca, ""},
		{`http = "127.0.0.1:9477"` + "\n" + token + ca, "http_client_ca: clients show certificates over TLS alone"},
		{`http = "127.0.0.1:9477"` + "\n" + token + `http_cert = "c"`, "5: [global] http_cert: its key is missing"},
		{`http = "127.0.0.1:9477"` + "\n" + token + `http_key = "k"`, "http_key: its certificate is missing"},
		{token, "3: [global] http_token_file: there is no listener that needs it"},
		{`http = "9477"` + "\n" + token, `http: "9477" is no address to listen on`},
		{`http = "example.org:9477"` + "\n" + token, "is no address to listen on"},
		{`http = "127.0.0.1:http"` + "\n" + token, "is no address to listen on"},
		{`http = "127.0.0.1:70000"` + "\n" + token, "is no address to listen on"},
	} {
		path := filepath.Join(t.TempDir(), "x.toml")
		text := fmt.Appendf(nil, `stack = "g:GEN,n:NULL"
[global]
%s
`, c.options)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		f, problems := conf.Load(path)
		_, more := stacks.Build(f, &engine.Default, slog.New(slog.DiscardHandler))
		problems = append(problems, more...)
		got := fmt.Sprint(problems)
		if c.want == "" && len(problems) > 0 || !strings.Contains(got, c.want) {
			t.Errorf("%s\n  %s\n  want %q", c.options, got, c.want)
		}
	}
}
