// Package plugins imports every plugin that the daemon is built with, one line each.
package plugins

import (
	_ "ulogd/plugins/gen"
	_ "ulogd/plugins/null"
	_ "ulogd/plugins/print"
)
