// The settings.

package nfct

import (
	"fmt"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/input/netlink/netns"
)

// settings are the options. Names and defaults of the first half are ulogd2's.
type settings struct {
	pollInterval time.Duration
	hash         bool
	hashBuckets  int
	hashMax      int
	eventMask    uint32
	bufferSize   int
	bufferMax    int
	resync       time.Duration
	reliable     bool
	srcFilter    []string
	dstFilter    []string
	protoFilter  []string
	place        netns.Follower

	markFilter    []string
	zoneFilter    []string
	translated    bool
	fixSysctl     bool
	excludeSelf   bool
	initialDump   bool
	exportOnExit  bool
	activeTimeout time.Duration
	counters      string

	expireInterval time.Duration
	connLabels     string
}

const allEvents = key.EventNew | key.EventUpdate | key.EventDestroy

// Options declares the settings.
func (n *nfct) Options(o *engine.Options) {
	s := &n.settings
	o.Seconds(&s.pollInterval, "pollinterval", 0,
		"read the whole table at this interval instead of listening to events; 0: listen. A "+
			"connection is reported when a poll no longer finds it, with the counters of the poll before")
	o.Bool(&s.hash, "hash_enable", true,
		"remember the live connections; only their ends are then reported. Off: every event is, as "+
			"event_mask asks")
	engine.Int(o, &s.hashBuckets, "hash_buckets", 8192,
		"has no effect: the index of the remembered connections grows with them")
	engine.Int(o, &s.hashMax, "hash_max_entries", 0,
		"connections that are remembered at most; 0: as many as the kernel tracks (nf_conntrack_max, "+
			"also when it changes), "+
			"within half of the memory that the daemon may use, at 276 octets each. The table grows as it "+
			"fills. Others are reported all the same, without what only memory knows")
	engine.Range(o, &s.eventMask, "event_mask", key.EventNew|key.EventDestroy, 0,
		key.EventNew|key.EventUpdate|key.EventDestroy,
		"events to ask the kernel for, added up: 1 new, 2 update, 4 destroy")
	engine.Octets(o, &s.bufferSize, "netlink_socket_buffer_size", 0,
		"octets that may wait in the kernel on each socket, if netlink_socket_buffer_maxsize is not "+
			"set; 0: 8 MiB. It is a limit, nothing is allocated ahead")
	engine.Octets(o, &s.bufferMax, "netlink_socket_buffer_maxsize", 0,
		"octets that may wait in the kernel on each socket; 0: see netlink_socket_buffer_size")
	o.Seconds(&s.resync, "netlink_resync_timeout", 60*time.Second,
		"time from an overrun of the socket to the dump that finds out what was missed")
	o.Bool(&s.reliable, "reliable", false,
		"let the kernel keep and send again what the socket has no room for. No end of a connection "+
			"is lost then, and outputs stall this input instead of dropping. Ten times a second the kernel "+
			"sends again what the buffer has room for, some 13,000 ends in 8 MiB: a larger one "+
			"(netlink_socket_buffer_maxsize) makes storms of connections arrive sooner")
	o.Strings(&s.srcFilter, "accept_src_filter", nil,
		"networks (192.0.2.0/24, 2001:db8::/32); connections with another original source are left "+
			"out")
	o.Strings(&s.dstFilter, "accept_dst_filter", nil,
		"networks; connections with another original destination are left out")
	o.Strings(&s.protoFilter, "accept_proto_filter", nil,
		"names or numbers of IP protocols; connections of others are left out")
	s.place.Options(o, "read")

	o.Strings(&s.markFilter, "accept_mark_filter", nil,
		"marks as VALUE or VALUE/MASK; connections with another mark are left out")
	o.Strings(&s.zoneFilter, "accept_zone_filter", nil, "conntrack zones; connections of others are left out")
	o.Bool(&s.translated, "translated_only", false,
		"report connections alone whose addresses or ports are translated (NAT); the others are left out, and counted as "+
			"filtered (not_translated)")
	o.Bool(&s.fixSysctl, "fix_sysctl", false,
		"switch on nf_conntrack_acct, nf_conntrack_timestamp and nf_conntrack_events where they are "+
			"off, instead of only saying so")
	o.Bool(&s.excludeSelf, "exclude_self", true, "leave out the connections over which this daemon exports")
	o.Bool(&s.initialDump, "initial_dump", true, "at start, remember the connections that exist (hash_enable)")
	o.Bool(&s.exportOnExit, "export_on_exit", false,
		"at the end, report the connections that still live, with end reason 4 (forced end)")
	o.Seconds(&s.activeTimeout, "active_timeout", 0,
		"report living connections at this interval, with end reason 2 (hash_enable); 0: only at "+
			"their end. The kernel's counters are not zeroed")
	o.Seconds(&s.expireInterval, "expire_interval", time.Second,
		"time between looks at the kernel's table that make it end at once what has run out, and that "+
			"date the last packets of connections; "+
			"it is longer where the table is so large that looking would take more than 1 % of a core. "+
			"Ends, and flow.end where nf_conntrack_timestamp is 0, are late by at most that. 0: never; "+
			"then the kernel takes up to a minute")
	o.Enum(&s.counters, "counters", "delta", []string{"delta", "total"},
		"what a connection with several records (active_timeout, SIGUSR2) counts in each: what came "+
			"since the one before, or all so far (hash_enable)")
	o.String(&s.connLabels, "connlabel_conf", "/etc/xtables/connlabel.conf",
		"file that names connection labels, lines of NUMBER NAME; it may be missing")
	o.Reads("connlabel_conf")
}

// Validate checks the settings against each other.
func (n *nfct) Validate() error {
	s := &n.settings
	switch {
	case s.hashBuckets < 0:
		return fmt.Errorf("hash_buckets: must not be negative, is %d", s.hashBuckets)
	case s.hashMax < 0:
		return fmt.Errorf("hash_max_entries: must not be negative, is %d", s.hashMax)
	case s.bufferSize < 0:
		return fmt.Errorf("netlink_socket_buffer_size: must not be negative, is %d", s.bufferSize)
	case s.bufferMax < 0:
		return fmt.Errorf("netlink_socket_buffer_maxsize: must not be negative, is %d", s.bufferMax)
	case s.pollInterval > 0 && !s.hash:
		return fmt.Errorf(
			"pollinterval: needs hash_enable, since only the memory of the poll before tells what has " +
				"ended")
	case s.pollInterval == 0 && s.eventMask&allEvents == 0:
		return fmt.Errorf("event_mask: asks for no event; add up 1 new, 2 update, 4 destroy")
	case s.pollInterval == 0 && s.hash && s.eventMask&key.EventDestroy == 0:
		return fmt.Errorf(
			"event_mask: %d leaves out destroy (4), and with hash_enable nothing else is reported; "+
				"add 4, or set hash_enable = 0", s.eventMask)
	case s.activeTimeout > 0 && !s.hash:
		return fmt.Errorf("active_timeout: needs hash_enable")
	}
	f, err := newFilter(s)
	n.filter = f
	return err
}

// defaultBuffer takes a burst of some 13,000 ends (each takes 1280 octets of twice the buffer, measured).
const defaultBuffer = 8 << 20

// buffer is how many octets may wait in the kernel.
func (s *settings) buffer() int {
	switch {
	case s.bufferMax > 0:
		return s.bufferMax
	case s.bufferSize > 0:
		return s.bufferSize
	}
	return defaultBuffer
}

// deltas reports whether reports count what came since the one before.
func (s *settings) deltas() bool { return s.counters == "delta" }
