// Package key holds the keys that several plugins share: ulogd2's under ulogd2's names and types,
// and this daemon's own. Enterprise elements stand under netfilter's number 21373: those that
// ulogd2 names, and above 1000 the ones added here.
package key

import "ulogd/engine"

// is lists the elements that a key leaves as.
func is(list ...*engine.Element) []*engine.Element { return list }

// nf is the key's own element under netfilter's number.
func nf(id uint16) []*engine.Element { return engine.Own(engine.Netfilter, id) }

func key[T any](name string, as []*engine.Element, unit, doc string) engine.Key[T] {
	return engine.NewKey[T](engine.KeyInfo{Name: name, Elements: as, Unit: unit, Doc: doc})
}

// cim makes a key that JSON shows under a name of the Common Information Model.
func cim[T any](name, cim string, as []*engine.Element, unit, doc string) engine.Key[T] {
	return engine.NewKey[T](engine.KeyInfo{Name: name, Elements: as, Unit: unit, Doc: doc, CIM: cim})
}

var none []*engine.Element
