package nflog

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	_ "ulogd/plugins/filter/base"
	_ "ulogd/plugins/filter/ifindex"
	_ "ulogd/plugins/filter/ip2str"
	_ "ulogd/plugins/filter/printpkt"
	"ulogd/plugins/input/netlink/nlattr"
	_ "ulogd/plugins/output/logemu"
	"ulogd/test/packettest"
	"ulogd/test/stacktest"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "NFLOGFEED", Input: func() engine.Input { return &feed{} },
		Doc: "For tests: NFLOG that reads from a socket pair.",
	})
}

type batch = engine.Batch

// feed is NFLOG with the test in place of the kernel.
type feed struct{ nflog }

// ends are the sockets that the newest feed's datagrams are sent to, and what is to be done inside
// its Read.
var (
	ends   = make(chan int, 1)
	inside = make(chan func(f *feed, b *batch), 1)
)

type rawFD int

func (fd rawFD) Control(f func(fd uintptr)) error    { f(uintptr(fd)); return nil }
func (fd rawFD) Read(f func(fd uintptr) bool) error  { f(uintptr(fd)); return nil }
func (fd rawFD) Write(f func(fd uintptr) bool) error { f(uintptr(fd)); return nil }

func (f *feed) Open(env *engine.Env) error {
	f.env = env
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(pair[0])
	if err := unix.SetsockoptInt(pair[1], unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 16<<20); err != nil {
		return err
	}
	ends <- pair[1]
	return f.receiveFrom(rawFD(pair[0]))
}

func (f *feed) Read(b *engine.Batch, deadline time.Time) error {
	select {
	case work := <-inside:
		work(f, b)
		return nil
	default:
		return f.nflog.Read(b, deadline)
	}
}

func (f *feed) Stop() { f.stopping = true }

// start runs a stack behind a feed and returns where to send to.
func start(t testing.TB, settings, rest, more string) (d *stacktest.Daemon, send func(datagram []byte)) {
	d = stacktest.Start(t, "stack = [\"in:NFLOGFEED,"+rest+"\"]\n[in]\n"+settings+"\n"+more)
	fd := <-ends
	t.Cleanup(func() { unix.Close(fd) })
	return d, func(datagram []byte) {
		if _, err := unix.Write(fd, datagram); err != nil {
			t.Fatal(err)
		}
	}
}

// message appends a packet message with the attributes that attrs appends.
func message(b []byte, attrs func([]byte) []byte) []byte {
	return nlattr.AppendMessage(b, msgPacket, 0, 0, func(b []byte) []byte {
		return attrs(append(b, engine.FamilyIPv4, 0, 0, 1))
	})
}

// udp is the packet of most messages.
var udp = packettest.Build(packettest.IPv4{Src: "10.77.0.2", Dst: "10.77.0.1"}, packettest.UDP{Src: 5353, Dst: 53}, packettest.Zeros(60))

// logged appends a message as the kernel sends it for a packet that came in, with a number.
func logged(b []byte, seq uint32) []byte {
	return message(b, func(b []byte) []byte {
		b = nlattr.Append(b, attrPacketHdr, []byte{8, 0, 0, 0})
		b = nlattr.Append(b, attrPrefix, []byte("bench \x00"))
		b = nlattr.Append32(b, attrIfIn, 1)
		b = nlattr.Append(b, attrHWAddr, []byte{0, 6, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0})
		b = nlattr.Append16(b, attrHWType, 1)
		b = nlattr.Append16(b, attrHWLen, 14)
		b = nlattr.Append(b, attrHWHeader, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0})
		b = nlattr.Append(b, attrTimestamp, append(be.AppendUint64(nil, 1795226048), be.AppendUint64(nil, 651231)...))
		b = nlattr.Append32(b, attrSeq, seq)
		b = nlattr.Append32(b, attrSeqGlobal, seq+1)
		return nlattr.Append(b, attrPayload, udp)
	})
}
