// Who the two sides of a secured session are.

package collector

// Identity is who we are and whom we trust, by PEM files. They are read at each connect.
type Identity struct {
	Certificate string   // our certificate, with the chain behind it
	Key         string   // its private key
	Authorities string   // certificates of those who may sign the collector's
	PeerNames   []string // names of which the collector's certificate must have one; nil: the host's
}

// MaxDTLS is how long a message over DTLS can be in octets: a record's content (RFC 6347 section 4.1).
const MaxDTLS = 1 << 14
