// Package plugins imports every plugin that the daemon is built with, one line each.
package plugins

import (
	_ "ulogd/plugins/base"
	_ "ulogd/plugins/gen"
	_ "ulogd/plugins/gprint"
	_ "ulogd/plugins/hwhdr"
	_ "ulogd/plugins/ifindex"
	_ "ulogd/plugins/ip2bin"
	_ "ulogd/plugins/ip2hbin"
	_ "ulogd/plugins/ip2str"
	_ "ulogd/plugins/ipfix"
	_ "ulogd/plugins/json"
	_ "ulogd/plugins/logemu"
	_ "ulogd/plugins/mark"
	_ "ulogd/plugins/nfct"
	_ "ulogd/plugins/nflog"
	_ "ulogd/plugins/null"
	_ "ulogd/plugins/oprint"
	_ "ulogd/plugins/pcap"
	_ "ulogd/plugins/print"
	_ "ulogd/plugins/printflow"
	_ "ulogd/plugins/printpkt"
	_ "ulogd/plugins/pwsniff"
	_ "ulogd/plugins/ulog"
	_ "ulogd/plugins/unixsock"
)
