// Package engine runs stacks of plugins: an input, any number of filters, an output.
//
// Plugins exchange records through typed keys. A plugin says once, when the stack is built, which
// keys it needs, wants and gives (Need, Want, Give); what it gets back is a column, and from then
// on a key is an index into an array. Records travel in batches of up to 256 rows ([Batch]), one
// array per key, and a word per row tells which keys the row has. A key that nobody reads is not
// computed.
//
// A plugin is plain code: it starts no goroutine and takes no lock. The engine calls it from one
// goroutine at a time, reads the inputs, runs each batch through its stack to the end, queues for
// outputs that may block, counts every record and, at the end, drains, flushes and closes in stack
// order.
//
// Besides the standard library the package imports the kinds of values alone; it knows no plugin.
package engine
