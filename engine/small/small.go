// Package small speaks for builds for small machines, such as routers (-tags small): what such a build goes without, it
// refuses, and says how to get it.
package small

import "fmt"

// Lacks is what whoever asks for something that a build for small machines goes without is told, and what there is in its
// place.
func Lacks(what, instead string) error {
	return fmt.Errorf("this is a build for small machines (-tags small), which goes without %s; take the full build, or %s",
		what, instead)
}

// LacksTLS is the same of connections that are encrypted.
func LacksTLS() error {
	return Lacks("TLS and DTLS", "send in the clear, through a tunnel where others could listen, such as WireGuard's")
}
