// Facilities and levels by the names of syslog.h (RFC 5424 section 6.2.1 has the numbers).

package syslog

import "slices"

// facilities are those that ulogd2 knows.
var facilities = []string{
	"LOG_DAEMON", "LOG_KERN", "LOG_LOCAL0", "LOG_LOCAL1", "LOG_LOCAL2", "LOG_LOCAL3", "LOG_LOCAL4", "LOG_LOCAL5", "LOG_LOCAL6", "LOG_LOCAL7", "LOG_USER",
}

// facilityNumbers are in the same order. LOG_KERN has LOG_DAEMON's, as in syslog(3).
var facilityNumbers = []int{3, 3, 16, 17, 18, 19, 20, 21, 22, 23, 1}

// levels in the order of their numbers.
var levels = []string{"LOG_EMERG", "LOG_ALERT", "LOG_CRIT", "LOG_ERR", "LOG_WARNING", "LOG_NOTICE", "LOG_INFO", "LOG_DEBUG"}

// priority returns the number that messages begin with.
func priority(facility, level string) int {
	return facilityNumbers[slices.Index(facilities, facility)]*8 + slices.Index(levels, level)
}
