// Values of the keys that only conntrack knows.

package key

// Values of ct.event. A record has one; NFCT's event_mask adds them up.
const (
	EventNew     = 1
	EventUpdate  = 2
	EventDestroy = 4
)

// Values of ct.tcp.state (linux/netfilter/nf_conntrack_tcp.h). A connection that has come to its
// end is in one from TCPLastAck to TCPClose.
const (
	TCPNone = iota
	TCPSynSent
	TCPSynRecv
	TCPEstablished
	TCPFinWait
	TCPCloseWait
	TCPLastAck
	TCPTimeWait
	TCPClose
	TCPSynSent2
	TCPStates // their number
)

// TCPStateNames are the kernel's names of the states.
var TCPStateNames = [TCPStates]string{
	"NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2",
}

// TCPEnded reports whether a connection in that state has come to its end.
func TCPEnded(state uint8) bool { return state >= TCPLastAck && state <= TCPClose }
