// Package question is what running stacks can be asked: which flows and connections live just now
// ([Flows]), and who sends most ([Top]). What the counters say is [engine.Machine.Snapshot].
//
// Whoever asks in the daemon's own process, such as the control socket or a page, makes a question
// of words and has it answered:
//
//	q, err := question.ParseFlows([]string{"proto=tcp", "sort=octets", "limit=20"})
//	sum, err := q.Ask(ctx, machine, func(f *question.Flow) error { ... })
//
// A plugin that holds flows is an [engine.Querier]:
//
//	func (s *stage) Query(ask any, from int64) (next int64, err error) {
//		q, ok := ask.(*question.Flows)
//		if !ok {
//			return -1, engine.ErrNotAsked
//		}
//		... for some thousand of its flows, from the one that from stands for:
//		if q.Matches(proto, src, dst, sport, dport) {
//			q.Add(&question.Flow{...})
//		}
//
// A flow says of each value whether it is known ([Known]): one that nobody counts is not 0. Orders,
// limits and sums are made here, over the flows of all plugins together.
package question
