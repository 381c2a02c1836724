// Package collector brings messages to flow collectors: it finds and connects them off the record
// path, keeps messages while they are away, writes without ever blocking, and resends what a broken
// session may have lost.
//
//	connector := collector.NewConnector(env, settings.ReconnectInterval, dial)
//	queue := collector.NewQueue(env, connector, protocol, settings.Buffer, window)
//	queue.Spool(disk, keeper)                        // if what finds no room is to wait on disk
//	queue.Add(message, collector.Mark{Records: 30}) // in Consume
//	queue.Pump(now)                                  // after adding, and in Tick
//	collector.Finish(queue)                          // in Flush: until all is out, or the deadline
//
// A Connector keeps up one session; a Queue holds whole messages in front of it, in memory and in a
// spool, and writes, at the moment of sending, what is known only then (Protocol.Stamp). Everything
// but dialing runs on the goroutine of the output.
package collector
