// Package table remembers connections: those that live, with what has been counted and told of them
// (Table), and those that have ended lately (Ended). It is told of connections and asked for them; it
// opens nothing, and reports nothing.
package table
