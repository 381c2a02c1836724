// Package nflog is the NFLOG input: the packets that rules log to a netlink group.
package nflog

import (
	"errors"
	"fmt"
	"math"
	"syscall"
	"time"

	gonflog "github.com/florianl/go-nflog/v2"
	"github.com/mdlayher/netlink"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/mmsg"
	"ulogd/plugins/input/netlink/netns"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "NFLOG",
		Doc: `Reads the packets that nft's "log group N" and iptables' "-j NFLOG --nflog-group N" send to a group.

One group has one reader. The kernel gathers up to 100 packets, or those of a second, before it hands them over; netlink_qthreshold=1 in the configuration,
or queue-threshold 1 in the rule, makes it hand over each at once, at some cost. Packets that the kernel had to throw away because nobody read them in time are
counted as lost, exactly, from the numbers that it gives to the packets of a group.`,
		Example: `# nft add rule inet filter input log group 1 prefix "in: "
stack = "log1:NFLOG,base1:BASE,ifi1:IFINDEX,ip2str1:IP2STR,print1:PRINTPKT,emu1:LOGEMU"

[log1]
group = 1

[emu1]
file = "/var/log/ulogd_syslogemu.log"
`,
		Input: func() engine.Input { return &nflog{} },
	})
}

type nflog struct {
	group        int
	bind, rebind bool
	bufsize      int
	seqLocal     bool
	seqGlobal    bool
	label        int
	buffer       int64
	bufferMax    int64
	qthreshold   uint32
	qtimeout     uint32
	attachCT     bool
	place        netns.Follower

	columns
	env    *engine.Env
	socket *mmsg.Socket
	sent   uint32 // number of the last message that was sent
	backlog
	nextSeq    uint32 // number that the next packet of the group should have
	granted    int    // octets of receive buffer
	stopping   bool
	leaving    bool // the namespace is gone, and what was read of it is still to come
	drops      drops
	unnumbered *engine.Counter
	lost       *engine.Counter
	overruns   *engine.Counter
	filled     *engine.Counter
	room       *engine.Counter
	malformed  *engine.Drop
}

// The optional parts of the contract that it implements (engine/plugin.go).
var (
	_ engine.Validator  = (*nflog)(nil)
	_ engine.Opener     = (*nflog)(nil)
	_ engine.Ticker     = (*nflog)(nil)
	_ engine.Closer     = (*nflog)(nil)
	_ engine.Stopper    = (*nflog)(nil)
	_ engine.Live       = (*nflog)(nil)
	_ engine.Namespaced = (*nflog)(nil)
	_ engine.Doctored   = (*nflog)(nil)
)

func (n *nflog) Options(o *engine.Options) {
	engine.Range(o, &n.group, "group", 0, 0, 65535, "netlink group. Group 0 also takes over what the kernel itself logs of packets")
	o.Bool(&n.bind, "bind", false, "make nfnetlink_log the logger of IPv4, IPv6 and bridge packets even if the group is not 0")
	o.Bool(&n.rebind, "unbind", true, "take that role from the present logger first")
	engine.Octets(o, &n.bufsize, "bufsize", 150000, "ulogd2's read buffer; has no effect, the buffer here is as large as anything that the kernel sends")
	o.Bool(&n.seqLocal, "seq_local", false, "give oob.seq.local, the packet's number within the group")
	o.Bool(&n.seqGlobal, "seq_global", false, "give oob.seq.global, the packet's number among all groups of the namespace")
	engine.Range(o, &n.label, "numeric_label", 0, 0, 255, "number for raw.label")
	engine.Octets(o, &n.buffer, "netlink_socket_buffer_size", 0, "octets of receive buffer; 0: 8 MiB")
	engine.Octets(o, &n.bufferMax, "netlink_socket_buffer_maxsize", 0, "octets up to which the receive buffer is doubled each time it overflows; 0: it stays as it is")
	engine.Int(o, &n.qthreshold, "netlink_qthreshold", 0, "packets that the kernel gathers before it hands them over; 0: the kernel's default, 100")
	engine.Ticks(o, &n.qtimeout, "netlink_qtimeout", 10*time.Millisecond, 0, "how long it gathers them, in hundredths of a second or as 500ms; 0: the kernel's default, 100")
	o.Bool(&n.attachCT, "attach_conntrack", false, "ask the kernel to send the connection along with each packet: ct.id, ct.mark, ct.status, ct.zone")
	n.place.Options(o, "listen in")
}

func (n *nflog) Validate() error {
	switch {
	case n.buffer < 0 || n.buffer > math.MaxInt32/2:
		return fmt.Errorf("netlink_socket_buffer_size: must be between 0 and %d, is %d", math.MaxInt32/2, n.buffer)
	case n.bufferMax < 0 || n.bufferMax > math.MaxInt32/2:
		return fmt.Errorf("netlink_socket_buffer_maxsize: must be between 0 and %d, is %d", math.MaxInt32/2, n.bufferMax)
	case n.bufferMax > 0 && n.bufferMax < n.buffer:
		return fmt.Errorf("netlink_socket_buffer_maxsize: is %d, less than netlink_socket_buffer_size, %d", n.bufferMax, n.buffer)
	}
	return nil
}

func (n *nflog) Bind(p *engine.Binder) {
	n.columns.bind(p, n)
	st := p.Stats()
	n.lost = st.Lost("sequence", "packets that the kernel numbered and did not deliver: nobody read the group in time")
	n.unnumbered = st.Lost("unnumbered", "packets that the kernel threw away and whose number no later packet has told "+
		"yet: estimated from the datagrams before").Falling()
	n.filled = st.Gauge("socket_octets", "octets of the receive buffer that are taken, the kernel's bookkeeping included")
	n.room = st.Gauge("socket_octets_max", "octets of the receive buffer, the kernel's bookkeeping included")
	n.overruns = st.Counter("overruns", "times that the receive buffer was full")
	n.malformed = st.Drop("malformed", "messages that contradict their own lengths")
}

// Namespace tells filters behind this input where interface indexes have their names.
func (n *nflog) Namespace() string { return n.place.Path }

// Entered implements engine.Namespaced.
func (n *nflog) Entered() uint64 { return n.place.Entered() }

// Open opens the socket and binds the group.
func (n *nflog) Open(env *engine.Env) error {
	n.env = env
	return n.place.Open(env, n.listen)
}

// listen opens the socket in the namespace that it is called in.
func (n *nflog) listen() error {
	log, err := gonflog.Open(&gonflog.Config{Group: uint16(n.group), Copymode: gonflog.CopyPacket})
	if err != nil {
		return fmt.Errorf("open a netlink socket for group %d: %w", uint16(n.group), err)
	}
	defer log.Close()
	if err := n.start(log.Con); err != nil {
		return errors.Join(err, n.Close())
	}
	return nil
}

// start makes the opened socket a reader of the group.
func (n *nflog) start(conn *netlink.Conn) error {
	if uint16(n.group) == 0 || n.bind {
		if err := n.bindFamilies(conn); err != nil {
			return err
		}
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	if err := n.receiveFrom(raw); err != nil {
		return err
	}
	n.growTo(int(or(n.buffer, defaultBuffer)))
	return n.bindGroup()
}

// receiveFrom takes over a socket.
func (n *nflog) receiveFrom(raw syscall.RawConn) (err error) {
	if n.socket, err = mmsg.Detach(raw); err != nil {
		return err
	}
	n.backlog.begin(mmsg.New(n.socket))
	n.nextSeq, n.drops = 0, drops{before: n.unnumbered.Load()}
	return nil
}

// Tick follows the namespace, and looks whether packets were lost.
func (n *nflog) Tick(now time.Time) {
	if !n.stopping {
		n.place.Tick(now, n.leave, n.listen)
	}
	if n.socket != nil {
		if filled, room, err := n.receiver.Filled(); err == nil {
			n.filled.Set(filled)
			n.room.Set(room)
		}
		n.blocks.Tick(now)
		n.smallBlocks.Tick(now)
	}
	n.lookForDrops()
}

// leave ends the work in a namespace that is no more; it returns true when what the kernel had
// gathered there is read.
func (n *nflog) leave() bool {
	if n.socket != nil && !n.leaving {
		n.unbind()
	}
	n.leaving = n.socket != nil
	return !n.leaving
}

// Stop unbinds the group: the kernel hands over what it has gathered, and Read goes on until that
// is taken.
func (n *nflog) Stop() {
	if n.socket != nil && !n.leaving {
		n.unbind()
	}
	n.stopping = true
}

func (n *nflog) unbind() {
	if err := n.send(appendCommand(nil, cmdUnbind)); err != nil {
		n.env.Log.Error("unbind the group", "group", uint16(n.group), "error", err)
	}
}

// Live implements engine.Live: what it reads has no end of its own.
func (n *nflog) Live() bool { return true }

// Close closes the socket.
func (n *nflog) Close() error {
	if n.socket == nil {
		return nil
	}
	err := n.socket.Close()
	n.socket = nil
	return err
}

func or(v, byDefault int64) int64 {
	if v == 0 {
		return byDefault
	}
	return v
}
