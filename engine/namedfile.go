// Named files: which files instances open by name while they run, as their options say. A daemon that shuts
// itself in keeps these and no others.

package engine

// A Use is what becomes of a file that an option names.
type Use uint8

// Reads: the file is read, also when another has taken its name. Writes: it and others beside it are
// made, written, renamed and removed. Fills: so is all below the directory.
const (
	Reads Use = 1 + iota
	Writes
	Fills
)

// A NamedFile is a file or a directory that an option of an instance names.
type NamedFile struct {
	Name     string
	Use      Use
	Instance *Instance
	Option   string
}

// Reads says of an option declared before, a text or a list, that it names files to read.
func (o *Options) Reads(name string) { o.uses(name, Reads) }

// Writes says of an option declared before that it names a file to write.
func (o *Options) Writes(name string) { o.uses(name, Writes) }

// Fills says of an option declared before that it names a directory to fill.
func (o *Options) Fills(name string) { o.uses(name, Fills) }

func (o *Options) uses(name string, u Use) {
	opt, ok := o.Lookup(name)
	if !ok || opt.texts == nil {
		panic("engine: option " + name + " is no text that could name a file")
	}
	opt.use = u
}

// Names returns the use of the files that an option names; 0 if it names none.
func (o *Option) Names() Use { return o.use }

// Files lists what the options of an instance name.
func (i *Instance) Files() (all []NamedFile) {
	for _, opt := range i.Options.list {
		if opt.use == 0 {
			continue
		}
		for _, name := range opt.texts() {
			if name != "" {
				all = append(all, NamedFile{Name: name, Use: opt.use, Instance: i, Option: opt.Name})
			}
		}
	}
	return all
}

// Files lists what the options of all instances name.
func (m *Machine) Files() (all []NamedFile) {
	for _, inst := range m.instances() {
		all = append(all, inst.Files()...)
	}
	return all
}
