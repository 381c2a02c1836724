// What silently ruins flow logs: kernel settings that are off, and a namespace in which nothing is
// tracked.

package nfct

import (
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"ulogd/plugins/input/netlink/netns"
)

const sysctlDir = "/proc/sys/net/netfilter/"

// needed are the settings that must not be 0, and what happens if they are.
var needed = []struct{ name, effect string }{
	{"nf_conntrack_acct", "packets and octets of all connections will be 0"},
	{
		"nf_conntrack_timestamp",
		"start and end of connections will be guessed from when their events are read, and duplicates cannot be told",
	},
	{"nf_conntrack_events", "no event will come"},
}

// checkKernel says what will go wrong, and mends what fix_sysctl allows.
func (n *nfct) checkKernel(log *slog.Logger) error {
	return netns.Do(n.place.Path, func() error {
		for _, s := range needed {
			if err := n.checkSysctl(log, s.name, s.effect); err != nil {
				return err
			}
		}
		n.timeouts.Open(sysctlDir)
		always, err := readSysctl("nf_conntrack_events")
		n.eventsAlways = err == nil && always == 1
		if n.hub.others(n) {
			return nil // the first instance here has looked
		}
		tracked, err := tracksAnything()
		if err == nil && !tracked {
			log.Warn(
				"nothing is tracked here: no rule asks for the state of connections",
				"remedy",
				"add one, such as: nft add table inet track; nft 'add chain inet track c { type "+
					"filter hook input priority 0; }'; nft add rule inet track c ct state new accept",
			)
		}
		return nil
	})
}

func (n *nfct) checkSysctl(log *slog.Logger, name, effect string) error {
	value, err := readSysctl(name)
	if err != nil {
		log.Warn("cannot read a kernel setting", "error", err, "remedy", "load the module nf_conntrack")
		return nil
	}
	if value != 0 {
		return nil
	}
	if !n.fixSysctl {
		log.Warn(
			"net.netfilter."+name+" is 0: "+effect,
			"remedy",
			"sysctl -w net.netfilter."+name+"=1, or fix_sysctl = true",
		)
		return nil
	}
	if err := os.WriteFile(sysctlDir+name, []byte("1"), 0); err != nil {
		return fmt.Errorf("fix_sysctl: set net.netfilter.%s = 1: %w", name, err)
	}
	log.Info("set net.netfilter." + name + " = 1")
	return nil
}

// readSysctl reads a number of the namespace that the thread is in.
func readSysctl(name string) (int, error) {
	text, err := os.ReadFile(sysctlDir + name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
