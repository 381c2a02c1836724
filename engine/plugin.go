// The contract of plugins: what they must and what they may implement, and how they describe
// themselves.

package engine

import (
	"time"
)

// Kind is where in a stack a plugin stands.
type Kind uint8

// The kinds of plugins: the first of a stack is an input, the last an output, those between are
// filters.
const (
	InputKind Kind = iota
	FilterKind
	OutputKind
)

func (k Kind) String() string { return [...]string{"input", "filter", "output"}[k] }

// An Input reads records. Its methods are called in the order Options, Validate, Bind, Open, Read
// ..., Close, from one goroutine at a time.
type Input interface {
	// Options declares the settings; they have their values when Validate or Bind is called.
	Options(o *Options)
	// Bind declares the keys, once, however many stacks the instance feeds.
	Bind(p *Binder)
	// Read adds records to b and returns no later than deadline; none is fine. io.EOF means that
	// there are no more (records may come with it); any other error ends the input and, with it,
	// its stacks.
	Read(b *Batch, deadline time.Time) error
}

// A Filter makes one Stage per stack; its settings are shared by all stacks that name the instance.
type Filter interface {
	Options(o *Options)
	Bind(p *Binder) Stage
}

// An Output is opened once, however many stacks name it; each of them has a Stage of its own, which
// knows where in that stack's batches the keys are.
type Output interface {
	Options(o *Options)
	Bind(p *Binder) Stage
}

// A Stage is a filter or an output at one place of one stack.
type Stage interface {
	// Consume handles the rows of b before it returns. A filter may shorten the row list and fill
	// the columns it gives. It is not called without rows.
	Consume(b *Batch)
}

// What follows is optional, for instances and, where said, for stages.

// A Validator checks settings against each other, without any I/O: `ulogd -t` needs neither root
// nor sockets. Its error begins with the name of the option that is wrong and a colon; errors.Join
// makes several of it.
type Validator interface{ Validate() error }

// An Opener opens sockets and files. Outputs are opened before filters and filters before inputs,
// so that nobody receives before being ready.
type Opener interface{ Open(env *Env) error }

// A Ticker (instance of an input or output, or any stage) is called about ten times a second,
// between batches.
type Ticker interface{ Tick(now time.Time) }

// A Flusher (output instance, or any stage) hands on or writes out all that it holds. It is called
// once, when the records in front of it have come to their end, from input to output.
type Flusher interface{ Flush() }

// A Closer releases what Open acquired. It may be called without Open, after a failed start.
type Closer interface{ Close() error }

// A Stopper (input) is asked to end: what is already on its way to the process is still returned by
// Read, then io.EOF.
type Stopper interface{ Stop() }

// Signal is what an operator can tell running instances.
type Signal uint8

// Reopen is SIGHUP (rotate files, resolve names again, reconnect), Dump is SIGUSR2 (read all
// counters now).
const (
	Reopen Signal = iota
	Dump
)

// A Signaler is told of signals between batches, on the goroutine that runs it.
type Signaler interface{ Signal(s Signal) }

// A Live input has no end of its own, such as a socket of the kernel. When its Read fails the
// engine closes it and opens it again, with growing pauses, until it works or the daemon stops:
// Open must work after Close. It is asked when Read has failed.
type Live interface{ Live() bool }

// A Backpressured input can be stalled without losing anything, such as a file; by default outputs
// then block it instead of dropping. It is asked when the settings are known.
type Backpressured interface{ Backpressure() bool }

// A Blocker is an output whose writes can take long, always or with some settings: it gets a queue
// and a goroutine of its own by default. It is asked for the manual, and again when the settings
// are known.
type Blocker interface{ Blocks() bool }

// A Widener (input) is told, between two batches, that more of its keys are wanted than when it was
// opened: a stack was added while it runs.
type Widener interface{ Widen() }

// Privileged is an instance that goes on needing capabilities (capabilities(7), by their numbers) when the daemon gives
// up root, besides CAP_NET_ADMIN, which it always keeps. It is asked when the settings are known.
type Privileged interface{ Capabilities() []int }

// An Heir (stage of a filter) takes over what the stage that it replaces has gathered, such as flows
// that have not ended: its instance stays in a running daemon and its stack is bound anew. Inherit is
// called after Open, between two batches, for a stage of the same instance, which is flushed and
// closed afterwards. It returns false where what the old one has does not fit; it is flushed then.
type Heir interface{ Inherit(from Stage) bool }

// Namespaced is an input that may listen in another network namespace.
type Namespaced interface {
	// Namespace returns the file that stands for it, or "" for the daemon's own. Interface indexes
	// in the input's records have their names there.
	Namespace() string
	// Entered returns the inode number of the namespace that the input works in now: another one
	// when that file's has been deleted and made again, 0 while there is none, and where Namespace
	// is "". It is called from any goroutine.
	Entered() uint64
}

// Foreign is an input whose records may come from another machine, as those of a file do: interface
// indexes in them have no names here. It is asked when the settings are known.
type Foreign interface{ Foreign() bool }

// Timed is a filter that ends flows by time. Timeouts returns the age at which a flow that goes on
// is reported, and the pause after which it has ended. Outputs tell collectors of them; they are
// asked when the settings are known.
type Timed interface {
	Timeouts() (active, idle time.Duration)
}

// Counting is an input or a filter of flow records that says what their octets and packets count.
// It is asked when the settings are known.
type Counting interface{ Counts() Counts }

// A Sharder is a filter that can run as several copies, each with its share of the records. The
// engine runs the rest of the stack, from the filter on, as many times, on goroutines of their own.
type Sharder interface {
	// Shards returns how many copies are to run.
	Shards() int
	// Deal binds the dealer, which runs in front of the copies.
	Deal(p *Binder) Dealer
}

// A Dealer says which copy takes a row: the high bits of its hash choose.
type Dealer interface {
	Hash(b *Batch) *[BatchSize]uint32
}

// A Querier (input, or any stage but an output's) answers questions about what it holds, such as
// its live flows: package engine/question has the questions. It answers a chunk at a time, so that
// no answer holds up the records for long, and is called between batches.
type Querier interface {
	// Query adds to the question, as the question's type says, the chunk of the answer that begins
	// at from, 0 at first. It returns where the next one begins, or a negative number when there is
	// no more; ErrNotAsked if the question is not for it, from and ErrLater if it has to read
	// something first.
	Query(q any, from int64) (next int64, err error)
}

// A Plugin describes a plugin to the registry. It has one of the three constructors, which says its
// kind.
type Plugin struct {
	Name string
	Doc  string // what it does: a first line, then paragraphs
	// Example is a configuration in TOML with the plugin in a stack that is of use, for the
	// manuals. A test checks it.
	Example string

	Input  func() Input
	Filter func() Filter
	Output func() Output

	// Compat says that the plugin heeds [Settings.CompatULOGD2]: its instances have the option
	// compat.
	Compat bool
	// Refuse, where set, says why the plugin is known but not offered; it has no constructor then.
	Refuse *Refusal
}

// A Refusal is why a plugin that people name is not offered.
type Refusal struct {
	Kind Kind
	Why  string // with what to do instead
}

// Kind returns where in a stack the plugin stands.
func (p *Plugin) Kind() Kind {
	switch {
	case p.Refuse != nil:
		return p.Refuse.Kind
	case p.Input != nil:
		return InputKind
	case p.Filter != nil:
		return FilterKind
	}
	return OutputKind
}

// constructors counts those that the plugin has.
func (p *Plugin) constructors() (n int) {
	for _, has := range []bool{p.Input != nil, p.Filter != nil, p.Output != nil} {
		if has {
			n++
		}
	}
	return n
}
