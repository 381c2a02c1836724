// Package stream is the way that all exporters share, from records to flow collectors: which
// collector gets what, when a message that is not full leaves, how long messages are, and when an
// input has to wait.
//
//	type output struct{ stream.Output }        // has Tick, Signal, Flush and Close
//	o.Make(format)                             // in Bind: a Stream for all collectors or, in balance, one for each
//	o.Connect(env, window, dial)               // in Open
//	now := o.Wait(time.Now())                  // in Consume, if the stack's input loses nothing by it
//	s.Settle(now)                              // after adding records to a Stream's messages
//	o.Pump(now)                                // at the end of Consume
//
// An exporter brings its format: how records become messages (Messages), and what a collector is
// told besides (Peer).
package stream
