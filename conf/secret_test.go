package conf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ulogd/engine/value"
)

// What is converted names the file that a password belongs into, and nothing says the password.
func TestSecrets(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a.conf", "[db]\npass=\"hunter2\"\n", "pass_file = \"/etc/ulogd/db.pass\"\n"},
		{"b.conf", "[db]\npass=hunter2 hunter2\nuser=u\n", "pass_file = \"/etc/ulogd/db.pass\"\nuser = \"u\"\n"},
		{"c.conf", "[db]\npass=\"a\"hunter2\"\n", "pass_file = \"/etc/ulogd/db.pass\"\n"},
		{"d.conf", "[db]\npass_file=x\npass=\"hunter2\"\n", "pass_file = \"x\"\n"},
		{"e.toml", "[db]\npass = [\"hunter2\", \"x\"]\n", "pass_file = \"/etc/ulogd/db.pass\"\n"},
		{"f.toml", "[db]\npass = \"\"\n", "pass = \"\"\n"},
		{"g.toml", "[db]\nconnstring = \"host=h\"\n", "connstring = \"host=h\"\n"},
		{
			"h.toml", "[db]\nconnstring = \"host=h password = 'hunter2 hunter2' user=u sslpassword=hunter2\"\n",
			"connstring = \"host=h user=u \"\npass_file = \"/etc/ulogd/db.pass\"\n",
		},
		{
			"i.toml", "[db]\nconnstring = \"postgres://u:hunter2@h/d?password=hunter2&port=1\"\n",
			"connstring = \"postgres://u@h/d?port=1\"\npass_file = \"/etc/ulogd/db.pass\"\n",
		},
		{
			"j.toml", "[db]\nconnstring = \"host=h password='hunter2\"\n",
			"connstring = \"host=h \"\npass_file = \"/etc/ulogd/db.pass\"\n",
		},
	} {
		path := filepath.Join(t.TempDir(), c.name)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, problems := Load(path)
		shown, more := f.WithoutSecrets()
		got := string(shown.TOML(func(string, string) value.Kind { return value.String }))
		if got != "[db]\n"+c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
		for _, p := range append(problems, more...) {
			if strings.Contains(p.Error(), "hunter2") {
				t.Errorf("%s: %v", c.name, p)
			}
		}
	}
}
