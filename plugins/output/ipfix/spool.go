// The spool: what the buffers of collectors have no room for waits on disk.

package ipfix

import (
	"fmt"

	"ulogd/engine"
	"ulogd/plugins/output/export/collector"
	"ulogd/plugins/output/spool"
)

// spooling is the spool of an output: its options, and its directory while the output is open.
type spooling struct {
	path string
	max  int64

	dir *spool.Dir // nil: there is none
}

func (s *spooling) options(o *engine.Options) {
	o.String(&s.path, "spool", "", "directory on disk for messages that find the buffer full, a directory in it for each collector, named by its address (in failover by the first one's); what is left at the end of the daemon is sent by the next run. It needs tcp, tls or dtls, and an output has it alone. What the daemon makes of it before it becomes the user of -u is that user's; a directory that is there must belong to that user")
	o.Fills("spool")
	o.Size(&s.max, "spool_max", 1<<30, "octets of the spool at most, per collector; beyond it the oldest records are dropped and counted as spool_full. At the end of the daemon the buffer comes on top")
}

func (s *spooling) validate(proto string) error {
	switch {
	case s.path == "":
		return nil
	case proto != protoTCP && proto != protoTLS && proto != protoDTLS:
		return fmt.Errorf("spool: with proto = %s no collector is ever known to be away, so that nothing would wait; set proto = tcp, tls or dtls", proto)
	case s.max < spool.MinMax:
		return fmt.Errorf("spool_max: must be at least %s, is %s", engine.FormatSize(spool.MinMax), engine.FormatSize(s.max))
	}
	return nil
}

// open locks the directory.
func (s *spooling) open() (err error) {
	if s.path != "" {
		s.dir, err = spool.OpenDir(s.path)
	}
	return err
}

// attach gives the queue of a collector its spool.
func (s *spooling) attach(q *collector.Queue, address string, o *output) error {
	if s.dir == nil {
		return nil
	}
	env := o.Env()
	disk, err := s.dir.Open(address, spool.Config{
		Max: s.max, Log: env.Log, Often: env.Limited().With("collector", address), Stats: env.Stats, Go: env.Go,
	})
	if err != nil {
		return err
	}
	q.Spool(disk, newAdopter(&o.templates))
	return nil
}

// report warns of what nobody will ever send.
func (s *spooling) report(env *engine.Env) {
	if s.dir == nil {
		return
	}
	for _, path := range s.dir.Others() {
		env.Log.Warn("the spool holds records for a collector that host does not name: they stay there", "directory", path, "remedy", "add it to host, or delete the directory")
	}
}

func (s *spooling) close() error {
	if s.dir == nil {
		return nil
	}
	return s.dir.Close()
}
