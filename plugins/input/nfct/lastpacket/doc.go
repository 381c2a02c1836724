// Package lastpacket dates the last packet of a connection, from the timeouts by which the kernel's
// entries live. It follows the settings of a namespace while they change.
package lastpacket
