// Package e2e tests the built daemon as its operator runs it: configuration files, real connections
// in network namespaces, and programs that others wrote to read what arrives.
package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// daemon is the path of the program, built once.
var daemon string

func TestMain(m *testing.M) {
	if dir := os.Getenv(recorderEnv); dir != "" {
		if err := record(dir, os.Args[1]); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "ulogd-e2e")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		if daemon, err = nstest.BuildDaemon(dir); err != nil {
			panic(err)
		}
		return m.Run()
	}())
}

// write puts a file into the test's folder and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// start runs the daemon in a namespace and waits until its inputs are open.
func start(t *testing.T, ns *nstest.NS, config string) *nstest.Proc {
	t.Helper()
	p := ns.Start(t, daemon+" -v -l 3 -c "+config)
	p.WaitOutput("initialization finished", time.Minute)
	return p
}

// capture records the traffic of the loopback device until stop, which returns the file.
func capture(t *testing.T, ns *nstest.NS, filter string) (stop func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "capture.pcap")
	p := ns.Start(t, "tcpdump -i lo -U --immediate-mode -Z root -B 65536 -w "+path, filter)
	p.WaitOutput("listening on", time.Minute)
	return func() string {
		nstest.Unchanged(t, path)
		p.Stop(os.Interrupt)
		return path
	}
}
