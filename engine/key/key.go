// Package key holds the keys that several plugins share: ulogd2's under ulogd2's names and types,
// and this daemon's own. Enterprise elements stand under netfilter's number 21373: those that
// ulogd2 names, and above 1000 the ones added here.
package key

import "ulogd/engine"

func iana(id uint16) engine.IE { return engine.IE{ID: id} }

func nf(id uint16) engine.IE { return engine.IE{PEN: engine.Netfilter, ID: id} }

func key[T any](name string, ie engine.IE, unit, doc string) engine.Key[T] {
	return engine.NewKey[T](engine.KeyInfo{Name: name, IE: ie, Unit: unit, Doc: doc})
}

// cim makes a key that JSON shows under a name of the Common Information Model.
func cim[T any](name, cim string, ie engine.IE, unit, doc string) engine.Key[T] {
	return engine.NewKey[T](engine.KeyInfo{Name: name, IE: ie, Unit: unit, Doc: doc, CIM: cim})
}

var none engine.IE
