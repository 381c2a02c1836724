// Which plugin gives each key to whom, for `ulogd -t -v`.

package stacks

import (
	"fmt"
	"io"
	"strings"
)

// Explain writes, stack by stack, which plugin gives which key to whom, and what is not computed because nobody reads it.
func (p *Plan) Explain(w io.Writer) {
	for i, st := range p.Stacks {
		fmt.Fprintf(w, "stack %s\n", st.Text)
		unread := map[string][]string{}
		var givers []string
		for _, l := range p.Machine.Explain(i) {
			if len(l.Readers) > 0 {
				fmt.Fprintf(w, "  %-20s %-18s %s -> %s\n", l.Key.Name, l.Key.Type, l.Giver, strings.Join(l.Readers, ", "))
				if l.Convert != "" {
					fmt.Fprintf(w, "  %20s converted: %s\n", "", l.Convert)
				}
				continue
			}
			if unread[l.Giver] == nil {
				givers = append(givers, l.Giver)
			}
			unread[l.Giver] = append(unread[l.Giver], l.Key.Name)
		}
		for _, g := range givers {
			fmt.Fprintf(w, "  not computed: %s of %s\n", strings.Join(unread[g], " "), g)
		}
	}
}
