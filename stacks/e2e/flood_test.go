package e2e

import (
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"ulogd/engine/nstest"
)

// Packets of a flood are numbered by their destination: 127.0.1.0 has number 0, 127.0.1.1 number 1.
const firstDestination = 127<<24 | 1<<8

// numberOf reads a destination.
func numberOf(address string) (n int) {
	for octet := range strings.SplitSeq(address, ".") {
		v, _ := strconv.Atoi(octet)
		n = n<<8 | v
	}
	return n - firstDestination
}

// flood sends UDP packets of 33 octets to port 9 of the namespace's loopback, numbered from what is sent already, as fast as one processor can, until
// enough says so.
func flood(t *testing.T, ns *nstest.NS, sent *atomic.Int64, enough func() bool) {
	ns.Do(t, func() {
		// Not connected: such a socket is not told that nobody listens.
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer unix.Close(fd)
		payload := []byte("abcde")
		for !enough() {
			to := firstDestination + int(sent.Load())
			if err := unix.Sendto(fd, payload, 0, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{byte(to >> 24), byte(to >> 16), byte(to >> 8), byte(to)}}); err != nil {
				t.Errorf("send packet %d: %v", sent.Load(), err)
				return
			}
			sent.Add(1)
		}
	})
}
