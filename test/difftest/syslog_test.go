package difftest

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// ownLog is a shell script that runs the rest of its arguments with a /dev of their own, in which
// log is the socket in the folder that is named first: the C library has no other way to log
// elsewhere. The mounts are seen by that program alone, because `ip netns exec` gives it a mount
// namespace.
const ownLog = `set -e
mkdir "$0/dev"
mount -t tmpfs none "$0/dev"
for device in null zero random urandom; do touch "$0/dev/$device"; mount --bind /dev/$device "$0/dev/$device"; done
ln -s "$0/` + logSocket + `" "$0/dev/log"
mount --rbind "$0/dev" /dev
exec "$@"`

const logSocket = "log.socket"

// systemLog writes what comes to the log socket of a folder to its file syslog, each datagram with
// a zero octet behind it.
func systemLog(t *testing.T, dir string) {
	t.Helper()
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, logSocket), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(dir, "syslog"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		l.Close()
		<-done
		file.Close()
	})
	go func() {
		defer close(done)
		buf := make([]byte, 1<<16)
		for {
			n, err := l.Read(buf)
			if err != nil {
				return
			}
			file.Write(append(buf[:n:n], 0))
		}
	}()
}

// logDatagrams are the messages of the output SYSLOG, without their time and process. The daemon's
// own have another form or level.
func logDatagrams(content []byte) (out []string, err error) {
	for message := range bytes.SplitSeq(content, []byte{0}) {
		if m := logMessage.FindSubmatch(message); m != nil {
			out = append(out, string(m[1])+string(m[2]))
		}
	}
	return out, nil
}

var logMessage = regexp.MustCompile(`(?s)^(<(?:149|29)>)[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d ulogd\[\d+\]: (.*)$`)
