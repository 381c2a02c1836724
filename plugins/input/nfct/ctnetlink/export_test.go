package ctnetlink

// For the test that compares both.
var (
	Shortcut = (*Tuple).usual
	LongWay  = (*Tuple).walk
)
