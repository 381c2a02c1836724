// Package spool keeps messages on disk that have no room in memory, in their order, until they are
// released; a later run of the daemon finds what is left.
//
//	dir, err := spool.OpenDir("/var/spool/ulogd")          // locked: one output, one directory
//	s, err := dir.Open("192.0.2.1:4739", config)           // one spool for each collector
//	s.Append(spool.Message{Records: 30, Body: message})    // on disk when this returns
//	m, ok := s.Next()                                      // the oldest that was not read yet
//	s.Release(s.Position())                                // what was read will not be asked for again
//
// A spool is a directory of segment files of a few MiB, each complete in itself. Messages are
// appended to the newest and read from the oldest, which is deleted when all of it is released; so
// what was read and not released is found again after a crash, and may be sent twice.
//
// What was appended survives the end of the process, kill -9 included: it is in the kernel's hands.
// A power failure costs what the disk does not have yet: files are synchronised once a second, and
// when they are full, beside the flow of records.
package spool
