// Package outputs holds what every output owes to its readers, be it to a file or to a peer. Each
// test has a list of all outputs, and fails for one that is registered and not in it.
package outputs
