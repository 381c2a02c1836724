// Package export turns batches into data records that templates describe, for IPFIX (RFC 7011) and
// NetFlow v9 (RFC 3954).
//
// What a record has decides its template. An output binds items, each an information element with
// the keys it is made of (FlowItems and its like). For every combination of presence bits that
// occurs, a shape is worked out once: which items apply, which template they make, at which offset
// each goes. From then on a record costs a look into a small table and, for each element, a store
// in a loop over all records of the shape.
package export
