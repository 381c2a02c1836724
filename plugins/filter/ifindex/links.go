// The links of a network namespace: names of interfaces by their index.

package ifindex

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ulogd/plugins/filter/follow"
	"ulogd/plugins/input/netlink/nlattr"
)

// links are what the kernel has told of interfaces.
type links struct {
	known []link   // sorted by index
	gone  []uint32 // indexes of removed links whose names are still known, oldest first
}

var _ follow.Subject = (*links)(nil)

type link struct {
	index uint32
	name  []byte
	gone  bool
}

// maxGone is how many removed links keep their names: packets that they carried may still wait to
// be read.
const maxGone = 1024

// Groups implements follow.Subject.
func (l *links) Groups() []uint32 { return []uint32{unix.RTNLGRP_LINK} }

// Requests implements follow.Subject.
func (l *links) Requests() []netlink.Message {
	return []netlink.Message{{Header: netlink.Header{Type: unix.RTM_GETLINK}, Data: make([]byte, unix.SizeofIfInfomsg)}}
}

// Begin implements follow.Subject: a link of which nothing is told now is gone.
func (l *links) Begin() {
	for _, k := range slices.Clone(l.known) {
		l.remove(k.index)
	}
}

// Change takes up one message: struct ifinfomsg, in the machine's byte order, and attributes.
func (l *links) Change(m nlattr.Message) bool {
	// For the bridge family, a link that is "deleted" has only left its bridge.
	if len(m.Body) < unix.SizeofIfInfomsg || m.Body[0] == unix.AF_BRIDGE {
		return true
	}
	index := binary.NativeEndian.Uint32(m.Body[4:])
	switch m.Type {
	case unix.RTM_DELLINK:
		l.remove(index)
	case unix.RTM_NEWLINK:
		for attrs := m.Body[unix.SizeofIfInfomsg:]; len(attrs) > 0; {
			var kind uint16
			var v []byte
			if kind, v, attrs = nlattr.Next(attrs); kind == unix.IFLA_IFNAME && len(v) > 1 {
				l.set(index, v[:len(v)-1])
			}
		}
	}
	return true
}

func (l *links) name(index uint32) ([]byte, bool) {
	if at, ok := l.find(index); ok {
		return l.known[at].name, true
	}
	return nil, false
}

func (l *links) set(index uint32, name []byte) {
	at, ok := l.find(index)
	if !ok {
		l.known = slices.Insert(l.known, at, link{index: index})
	}
	l.known[at].name, l.known[at].gone = slices.Clone(name), false
}

// remove keeps the name for a while.
func (l *links) remove(index uint32) {
	at, ok := l.find(index)
	if !ok || l.known[at].gone {
		return
	}
	l.known[at].gone = true
	l.gone = append(l.gone, index)
	if len(l.gone) <= maxGone {
		return
	}
	if at, ok := l.find(l.gone[0]); ok && l.known[at].gone {
		l.known = slices.Delete(l.known, at, at+1)
	}
	l.gone = slices.Delete(l.gone, 0, 1)
}

func (l *links) find(index uint32) (at int, ok bool) {
	return slices.BinarySearchFunc(l.known, index, func(k link, i uint32) int { return cmp.Compare(k.index, i) })
}
