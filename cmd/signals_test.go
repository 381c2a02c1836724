// Signals that come while the daemon starts.

package cmd_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Whoever finds the daemon by its pid file may signal it at once, as logrotate does: it has hardly begun to start.
func TestSignalsWhileStarting(t *testing.T) {
	for name, ends := range map[string]bool{"reopen and dump": false, "end": true} {
		t.Run(name, func(t *testing.T) {
			for range 5 {
				pidfile := filepath.Join(t.TempDir(), "pid")
				p := start(t, "-v", "-l", "info", "-p", pidfile, "-c", conf(t, ""))
				for end := time.Now().Add(30 * time.Second); read(t, pidfile) == ""; {
					if time.Now().After(end) {
						t.Fatal("no pid file")
					}
				}
				p.signal(syscall.SIGHUP)
				p.signal(syscall.SIGUSR2)
				if !ends {
					p.up().logs(`signal=hangup`)
				}
				p.signal(syscall.SIGTERM)
				p.ends(0)
				if _, err := os.Stat(pidfile); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("the pid file is left behind: %v", err)
				}
			}
		})
	}
}
