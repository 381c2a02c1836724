// Package sink is what outputs write to: files, peers, and servers with protocols of their own.
//
// An output encodes records; all else is the same for every output and stands here once: gathering
// records and writing many at a time, connecting, waiting for a slow or absent other side, what
// happens to records that it does not take, SIGHUP, and the accounting of every record. An output
//
//   - embeds a [Sink], whose methods the engine calls: nothing of Open, Tick, Flush, Signal, Close and Doctor is written again;
//   - declares its options, among them those of its [Target]: a logfile.File, a peer.Peer, or a [Server] with a protocol of its own;
//   - binds the stack to the target (once, in its Bind), which gives it a [Writer];
//   - appends records in Consume: Begin, End after each whole record, Commit at the end of the batch.
//
// With that it has a queue (options queue and when_full), waits for the other side where nothing is
// lost by it or the queue decides what is dropped, and counts what it has written, holds and drops;
// it must not count Out, Held or drops of records that it has ended with End. Records that it
// leaves out it counts itself: as filtered, or by a reason (p.Stats().Drop).
//
// docs/writing-a-plugin.md has a whole output for a database: with reconnects, rows that the database
// refuses, and a manual.
package sink
