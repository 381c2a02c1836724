// What `ulogd doctor` looks at: whether packets that the firewall logs are those on the wire.

package flow

import (
	"ulogd/engine"
	"ulogd/engine/doctor"
	"ulogd/plugins/input/netlink/netns"
)

// logged notes the network namespace of a stack whose packets come from netfilter, which hands on joined packets as
// they are and does not say so.
func (f *flow) logged(stack engine.StackInfo) {
	if stack.Input == "NFLOG" {
		f.namespaces = append(f.namespaces, stack.Namespace)
	}
}

// Doctor implements engine.Doctored.
func (f *flow) Doctor(d *engine.DoctorReport) {
	for _, path := range f.namespaces {
		_ = netns.Do(path, func() error { // a namespace that is not there is its input's finding
			doctor.Joined(d, doctor.Interfaces(), "capture with PCAP, which the kernel tells")
			return nil
		})
	}
}
