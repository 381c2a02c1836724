// TCP flags for people.

package key

// TCPFlagLetters returns a letter for each TCP flag that is set, from the lowest bit on: FIN, SYN, RST, PSH, ACK, URG,
// ECE, CWR (RFC 9293).
func TCPFlagLetters(flags uint16) string {
	const letters = "FSRPAUEC"
	var b [len(letters)]byte
	n := 0
	for i := range len(letters) {
		if flags&(1<<i) != 0 {
			b[n] = letters[i]
			n++
		}
	}
	return string(b[:n])
}
