// Package null is the NULL output: it counts records and forgets them.
package null

import "ulogd/engine"

func init() {
	engine.Register(engine.Plugin{
		Name: "NULL",
		Doc:  "Counts records and forgets them: to measure a stack, or to keep an input running while an output is away.",
		Example: `stack = "ct1:NFCT,null1:NULL"
`,
		Output: func() engine.Output { return null{} },
	})
}

type null struct{}

func (null) Options(*engine.Options) {}

func (null) Bind(*engine.Binder) engine.Stage { return null{} }

func (null) Consume(*engine.Batch) {}
