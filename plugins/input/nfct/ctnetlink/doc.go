// Package ctnetlink reads the kernel's connection tracking over netlink: sockets that are subscribed
// to its events, requests for its table, and connections decoded from the messages where they lie.
//
//	k, err := ctnetlink.Subscribe(&ctnetlink.Subscription{Groups: []uint32{ctnetlink.GroupDestroy}})
//	for k.Receive(); ; {
//		m, ok := k.Message()
//		if !ok || !flow.Decode(&m) { ... }
//	}
//
// It remembers nothing of a connection, and knows no batch: what is told of one, and when, is for
// others.
package ctnetlink
