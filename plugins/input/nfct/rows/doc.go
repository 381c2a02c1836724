// Package rows makes rows of connections: it declares the keys of a connection, and writes one into
// a batch. Which connections are told, and what their counters and times mean, is for others.
package rows
