// Questions of the control socket, answered by the goroutines that own the instances.

package engine

import "fmt"

// Query asks the instance id, or all that can answer, and hands on the answers line by line. It
// runs on the goroutines that own the instances, between batches, and returns when all have
// answered.
func (m *Machine) Query(id, name string, args []string, yield func(line []byte)) error {
	asked := 0
	ask := func(inst *Instance, impl any, mail *mailbox) error {
		q, ok := impl.(Querier)
		if !ok || id != "" && inst.ID != id {
			return nil
		}
		asked++
		for from := int64(0); from >= 0; {
			var err error
			done := make(chan struct{})
			mail.put(func() {
				defer close(done)
				if down := inst.down.Load(); down != nil {
					err = fmt.Errorf("%s is down: %s", inst, *down)
					return
				}
				from, err = q.Query(name, args, from, yield)
			})
			select {
			case <-done:
			case <-m.ended:
				return fmt.Errorf("the daemon is stopping")
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	for _, in := range m.inputs {
		if err := ask(in.inst, in.impl, &in.mail); err != nil {
			return err
		}
		for _, c := range in.chains {
			var err error
			c.each(func(s *step) {
				if err == nil {
					err = ask(s.inst, s.stage, &in.mail)
				}
				if s.deal == nil {
					return
				}
				for _, sh := range s.deal.shards {
					sh.chain.each(func(s *step) {
						if err == nil {
							err = ask(s.inst, s.stage, &sh.mail)
						}
					})
				}
			})
			if err != nil {
				return err
			}
		}
	}
	if asked == 0 {
		return fmt.Errorf("no instance answers %q", name)
	}
	return nil
}
