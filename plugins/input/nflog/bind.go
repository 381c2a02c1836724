// Binding the group. go-nflog opens the socket; its own way of binding would read from it on a
// goroutine of its own, so the few messages that it takes are sent here.

package nflog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	gonflog "github.com/florianl/go-nflog/v2"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ulogd/plugins/input/netlink/nlattr"
)

// Attributes and commands of a configuration message (linux/netfilter/nfnetlink_log.h).
const (
	cfgCmd       = 1
	cfgMode      = 2 // copy range (32 bits), copy mode, 8 unused bits
	cfgNLBufSize = 3
	cfgTimeout   = 4
	cfgQThresh   = 5
	cfgFlags     = 6

	cmdBind     = 1
	cmdUnbind   = 2
	cmdPFBind   = 3
	cmdPFUnbind = 4
)

// answerTimeout is how long the kernel may take; it answers before the request returns.
const answerTimeout = time.Second

// copyRange asks for whole packets; the kernel sends 65531 octets at most.
const copyRange = 0xffff

// bindFamilies makes nfnetlink_log the logger of the families that ulogd2 binds.
func (n *nflog) bindFamilies(conn *netlink.Conn) error {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6, unix.AF_BRIDGE} {
		if n.rebind {
			n.env.Log.Info("forcing unbind of existing log handler", "protocol", family)
			if _, err := conn.Execute(familyMessage(family, cmdPFUnbind)); err != nil {
				return fmt.Errorf("unbind the log handler of protocol family %d: %w", family, err)
			}
		}
		if _, err := conn.Execute(familyMessage(family, cmdPFBind)); err != nil {
			return fmt.Errorf("unable to bind to protocol family %d: %w", family, err)
		}
	}
	return nil
}

// bindGroup binds the group and sets its parameters with one message, so that the first packet is
// sent by them already.
func (n *nflog) bindGroup() error {
	flags := gonflog.FlagSeq | gonflog.FlagGlobal
	if n.attachCT {
		flags |= gonflog.FlagConntrack
	}
	err := n.configure(flags)
	if n.attachCT && errors.Is(err, unix.EOPNOTSUPP) {
		n.env.Log.Warn("the kernel cannot attach connections to packets", "error", err, "remedy", "use a kernel with CONFIG_NETFILTER_NETLINK_GLUE_CT, or unset attach_conntrack")
		err = n.configure(flags &^ gonflog.FlagConntrack)
	}
	switch {
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EPERM) && n.taken():
		return fmt.Errorf("unable to bind to log group %d: %s reads it already, and a group has one reader; stop it, or choose another group here and in the rules", uint16(n.group), n.owner())
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("unable to bind to log group %d: %w; run as root or with CAP_NET_ADMIN", uint16(n.group), err)
	case err != nil:
		return fmt.Errorf("unable to bind to log group %d: %w", uint16(n.group), err)
	}
	return nil
}

// configure sends the message. Packets may come before the answer, so that the answer is looked for
// among them and they stay for Read.
func (n *nflog) configure(flags uint16) error {
	attrs := appendCommand(nil, cmdBind)
	attrs = nlattr.Append(attrs, cfgMode, append(be.AppendUint32(nil, copyRange), gonflog.CopyPacket, 0))
	attrs = nlattr.Append32(attrs, cfgNLBufSize, kernelBuffer)
	if n.qtimeout > 0 {
		attrs = nlattr.Append32(attrs, cfgTimeout, n.qtimeout)
	}
	if n.qthreshold > 0 {
		attrs = nlattr.Append32(attrs, cfgQThresh, n.qthreshold)
	}
	attrs = nlattr.Append16(attrs, cfgFlags, flags)
	if err := n.send(attrs); err != nil {
		return err
	}
	for {
		n.socket.SetReadDeadline(time.Now().Add(answerTimeout))
		if err := n.receive(n.receiver.WaitReceive); err != nil {
			return err
		}
		if n.received == 0 {
			return errors.New("the kernel does not answer")
		}
		for i := range n.received {
			if m, _ := nlattr.NextMessage(n.receiver.Datagram(i)); m.Type == msgError && m.Seq == n.sent && len(m.Body) >= 4 {
				n.datagrams-- // this one has no packets
				return errno(m.Body)
			}
		}
	}
}

// errno reads the number of struct nlmsgerr: 0, or a negative error in the machine's byte order.
func errno(body []byte) error {
	if code := int32(binary.NativeEndian.Uint32(body)); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}

// send sends a configuration message for the group.
func (n *nflog) send(attrs []byte) error {
	n.sent++
	return n.socket.Send(nlattr.AppendMessage(nil, msgConfig, unix.NLM_F_REQUEST|unix.NLM_F_ACK, n.sent, func(b []byte) []byte {
		return append(append(b, unix.AF_UNSPEC, unix.NFNETLINK_V0, byte(n.group>>8), byte(n.group)), attrs...)
	}))
}

// familyMessage makes a configuration message for a protocol family.
func familyMessage(family, command uint8) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: msgConfig, Flags: netlink.Request | netlink.Acknowledge},
		Data:   appendCommand([]byte{family, unix.NFNETLINK_V0, 0, 0}, command),
	}
}

func appendCommand(b []byte, command uint8) []byte { return nlattr.Append8(b, cfgCmd, command) }
