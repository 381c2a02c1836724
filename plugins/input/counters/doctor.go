// What `ulogd doctor` looks at: whether counters may be read.

package counters

import (
	"errors"
	"io/fs"

	"ulogd/engine"
	"ulogd/engine/doctor"
	"ulogd/plugins/input/netlink/netns"
)

// Look reads the counters as they are, without setting them to zero. ok is false where there is
// nothing more to say: the namespace is waited for, or what is wrong has been found.
func (p *Poller) Look(d *engine.DoctorReport) (list []Counter, err error, ok bool) {
	doctor.NetAdmin(d, "reading counters")
	var r Reader
	err = netns.Do(p.Place.Path, func() (err error) { r, err = p.Dial(); return err })
	if p.Place.Wait && netns.IsMissing(err) {
		return nil, nil, false
	}
	if err != nil {
		d.Find(err.Error(), "the daemon will not start", "ip netns list, and correct network_namespace_path")
		return nil, nil, false
	}
	defer r.Close()
	list, _, err = r.Read(false)
	return list, err, !errors.Is(err, fs.ErrPermission) // which has been found
}
