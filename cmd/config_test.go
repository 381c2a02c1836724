package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Without -c the first configuration that is there is read: the daemon's own directory comes before ulogd2's file.
func TestWhereTheConfigurationIs(t *testing.T) {
	needRoot(t)
	etc := t.TempDir()
	if err := os.Mkdir(filepath.Join(etc, "ulogd"), 0o755); err != nil {
		t.Fatal(err)
	}
	check := func() result {
		return finish(t, exec.Command("unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc && exec "$1" -t`, etc,
			binary))
	}
	check().exits(1).says("/etc/ulogd.conf") // none is there: ulogd2's is named
	for _, path := range []string{"ulogd.conf", "ulogd/ulogd.conf", "ulogd/ulogd.toml"} {
		if err := os.WriteFile(filepath.Join(etc, path), []byte("stack = \"g:GEN,n:NULL\"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		check().exits(0).says("/etc/" + path + ": good, 1 stack")
	}
}
