// What `ulogd doctor` looks at: the same settings that are checked at start, and how full the table
// is.

package nfct

import (
	"fmt"
	"os"

	"ulogd/engine"
	"ulogd/engine/doctor"
	"ulogd/plugins/input/netlink/netns"
)

// Doctor looks at the kernel's connection tracking as it is now.
func (n *nfct) Doctor(d *engine.DoctorReport) {
	doctor.NetAdmin(d, "reading connections")
	doctor.ReceiveBuffer(d, n.buffer())
	if _, err := os.Stat(n.place.Path); err != nil && n.place.Path != "" && n.place.Wait {
		return // it is waited for
	}
	if err := netns.Do(n.place.Path, func() error {
		n.doctorKernel(d)
		return nil
	}); err != nil {
		d.Find(err.Error(), "the daemon will not start", "ip netns list, and correct network_namespace_path")
	}
}

// there prefixes a command that is to be run in the namespace that is read.
func (n *nfct) there(command string) string {
	if n.place.Path == "" {
		return command
	}
	return "nsenter --net=" + n.place.Path + " " + command
}

func (n *nfct) doctorKernel(d *engine.DoctorReport) {
	if _, err := os.Stat(sysctlDir + "nf_conntrack_count"); err != nil {
		d.Find("the kernel has no connection tracking here", "there are no connections to report",
			"modprobe nf_conntrack, and "+n.there(trackCommand))
		return
	}
	for _, s := range needed {
		if value, err := readSysctl(s.name); err != nil || value != 0 || n.fixSysctl ||
			n.pollInterval > 0 && s.name == "nf_conntrack_events" {
			continue
		}
		d.Find("net.netfilter."+s.name+" is 0", s.effect, n.there("sysctl -w net.netfilter."+s.name+"=1"))
	}
	if tracked, err := tracksAnything(); err == nil && !tracked {
		d.Find(
			"nothing is tracked: no rule asks for the state of connections",
			"there are no connections to report",
			n.there(trackCommand),
		)
	}
	n.doctorRoom(d)
}

// trackCommand makes the kernel track connections.
const trackCommand = "nft 'table inet track { chain c { type filter hook input priority 0; ct state new accept; }; }'"

// doctorRoom finds a table that is nearly full.
func (n *nfct) doctorRoom(d *engine.DoctorReport) {
	entries, err := readSysctl("nf_conntrack_count")
	most, err2 := readSysctl("nf_conntrack_max")
	if err != nil || err2 != nil || most == 0 || entries < most/10*9 { // 0: no limit
		return
	}
	d.Find(
		fmt.Sprintf("%d of at most %d connections are tracked", entries, most),
		"when the table is full the kernel drops the packets of new connections, and no record tells of them",
		fmt.Sprintf(
			"sysctl -w net.netfilter.nf_conntrack_max=%d",
			2*most,
		),
	) // one limit for all namespaces, kept by the first
}
