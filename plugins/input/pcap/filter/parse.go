// The grammar of filters: primitives joined by and and or, which bind equally and to the left, and
// not, which binds tighter. vlan and mpls move the place where all later primitives look, so trees
// are made in the order of the text.

package filter

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ulogd/engine"
)

// direction is what src and dst say of an address or port.
type direction uint8

const (
	srcOrDst direction = iota
	srcOnly
	dstOnly
	srcAndDst
)

// protocolWord is a protocol's word in the language.
type protocolWord uint8

const (
	wordNone protocolWord = iota
	wordIP
	wordIP6
	wordARP
	wordTCP
	wordUDP
	wordICMP
	wordICMP6
	wordSCTP
)

var protocolWords = map[string]protocolWord{
	"ip": wordIP, "ip6": wordIP6, "arp": wordARP, "tcp": wordTCP, "udp": wordUDP,
	"icmp": wordICMP, "icmp6": wordICMP6, "sctp": wordSCTP,
}

func (w protocolWord) String() string {
	return [...]string{"", "ip", "ip6", "arp", "tcp", "udp", "icmp", "icmp6", "sctp"}[w]
}

// number is the IP protocol number, 0 for network protocols.
func (w protocolWord) number() uint32 {
	return [...]uint32{wordTCP: unix.IPPROTO_TCP, wordUDP: unix.IPPROTO_UDP, wordICMP: unix.IPPROTO_ICMP, wordICMP6: unix.IPPROTO_ICMPV6, wordSCTP: unix.IPPROTO_SCTP}[w]
}

// kindWord says what an argument is.
type kindWord uint8

const (
	wordBare kindWord = iota // src or dst alone: an address or network
	wordHost
	wordNet
	wordPort
	wordPortRange
	wordProto
)

var kindWords = map[string]kindWord{
	"host": wordHost, "net": wordNet, "port": wordPort, "portrange": wordPortRange, "proto": wordProto,
}

// qualifiers are the words in front of an argument. A later argument without words has those of the
// one before: port 80 or 443.
type qualifiers struct {
	proto protocolWord
	dir   direction
	kind  kindWord
}

const (
	maxNesting    = 100
	maxExpression = 64 << 10
)

// parser compiles an expression from left to right.
type parser struct {
	words []string
	place place
	last  *qualifiers // of the argument before, nil if the primitive before had none
	depth int
}

// parseFilter compiles an expression for packets laid out as the place says.
func parseFilter(expression string, start place) (*node, error) {
	wrong := func(err error) error { return fmt.Errorf("filter %q: %w", expression, err) }
	if len(expression) > maxExpression {
		return nil, fmt.Errorf("filter is longer than %d characters", maxExpression)
	}
	words, err := lex(expression)
	if err != nil {
		return nil, wrong(err)
	}
	p := &parser{words: words, place: start}
	n, err := p.expression()
	if err != nil {
		return nil, wrong(err)
	}
	if w := p.peek(); w != "" {
		return nil, wrong(fmt.Errorf("%q where and, or or the end belongs", w))
	}
	return n, nil
}

// lex splits an expression into words and signs.
func lex(s string) ([]string, error) {
	const inWord = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:/-_\\"
	var words []string
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		n := len(s) - len(strings.TrimLeft(s, inWord))
		switch {
		case n > 0:
		case s[0] == '(' || s[0] == ')' || s[0] == '!':
			n = 1
		case strings.HasPrefix(s, "&&") || strings.HasPrefix(s, "||"):
			n = 2
		default:
			return nil, fmt.Errorf("%q is not supported", []rune(s)[0])
		}
		words = append(words, s[:n])
		s = s[n:]
	}
	return words, nil
}

func (p *parser) peek() string { return p.ahead(0) }

func (p *parser) ahead(n int) string {
	if n >= len(p.words) {
		return ""
	}
	return p.words[n]
}

func (p *parser) take() string {
	w := p.peek()
	p.words = p.words[min(1, len(p.words)):]
	return w
}

// joiner reports whether a word joins two primitives.
func joiner(w string) (isAnd, ok bool) {
	switch w {
	case "and", "&&":
		return true, true
	case "or", "||":
		return false, true
	}
	return false, false
}

func (p *parser) expression() (*node, error) {
	n, err := p.term()
	for err == nil {
		isAnd, ok := joiner(p.peek())
		if !ok {
			break
		}
		p.take()
		var b *node
		if b, err = p.term(); err != nil {
			break
		}
		if isAnd {
			n = and(n, b)
		} else {
			n = or(n, b)
		}
	}
	return n, err
}

// term is a primitive, or an expression in parentheses, behind any number of nots.
func (p *parser) term() (*node, error) {
	negative := false
	for p.peek() == "not" || p.peek() == "!" {
		p.take()
		negative = !negative
	}
	n, err := p.inner()
	if err == nil && negative {
		n = not(n)
	}
	return n, err
}

func (p *parser) inner() (*node, error) {
	if p.peek() != "(" {
		return p.primitive()
	}
	if p.depth++; p.depth > maxNesting {
		return nil, errors.New("too many parentheses in each other")
	}
	p.take()
	n, err := p.expression()
	if err != nil {
		return nil, err
	}
	if p.peek() != ")" {
		return nil, fmt.Errorf("%q where ) belongs", p.peek())
	}
	p.take()
	p.depth--
	return n, nil
}

func (p *parser) primitive() (*node, error) {
	switch w := p.peek(); w {
	case "":
		return nil, errors.New("it ends where a primitive belongs")
	case "vlan":
		p.take()
		id, err := p.optional(4095)
		if err != nil {
			return nil, err
		}
		p.last = nil
		return p.place.vlan(id)
	case "mpls":
		p.take()
		label, err := p.optional(1<<20 - 1)
		if err != nil {
			return nil, err
		}
		p.last = nil
		return p.place.mpls(label), nil
	case "less", "greater":
		p.take()
		p.last = nil
		n, err := strconv.ParseUint(p.peek(), 0, 31)
		if err != nil {
			return nil, fmt.Errorf("%s needs a number, not %q", w, p.peek())
		}
		p.take()
		if w == "less" { // less N is N or less
			return not(p.place.lengthAtLeast(uint32(n) + 1)), nil
		}
		return p.place.lengthAtLeast(uint32(n)), nil
	}
	return p.qualified()
}

// optional reads the number that may follow vlan or mpls; -1 means none.
func (p *parser) optional(most uint64) (int, error) {
	w := p.peek()
	if w == "" || w[0] < '0' || w[0] > '9' {
		return -1, nil
	}
	n, err := strconv.ParseUint(w, 0, 32)
	if err != nil || n > most {
		return 0, fmt.Errorf("%q is not a number up to %d", w, most)
	}
	p.take()
	return int(n), nil
}

// qualified is words of protocol, direction and kind, and an argument; a protocol may stand alone,
// an argument too.
func (p *parser) qualified() (*node, error) {
	var q qualifiers
	first := p.peek()
	if proto, ok := protocolWords[first]; ok {
		q.proto = proto
		p.take()
	}
	directed := p.direction(&q)
	kind, kinded := kindWords[p.peek()]
	if kinded {
		q.kind = kind
		p.take()
	}
	switch {
	case !directed && !kinded && q.proto != wordNone:
		p.last = nil
		return p.alone(q.proto)
	case !directed && !kinded:
		if p.last == nil {
			return nil, unknown(first)
		}
		q = *p.last
	}
	return p.argument(q)
}

func unknown(word string) error {
	if c := word[0]; c >= '0' && c <= '9' || strings.Contains(word, ":") {
		return fmt.Errorf("%q needs host, net, port, portrange, proto, src or dst in front of it", word)
	}
	return fmt.Errorf("%q is not supported; the words are ip ip6 arp vlan mpls host net port portrange src dst tcp udp icmp icmp6 sctp proto "+
		"less greater and or not", word)
}

// direction reads src, dst, and their combinations with or and and.
func (p *parser) direction(q *qualifiers) bool {
	first := p.peek()
	if first != "src" && first != "dst" {
		return false
	}
	q.dir = srcOnly
	if first == "dst" {
		q.dir = dstOnly
	}
	p.take()
	if isAnd, ok := joiner(p.peek()); ok {
		if w := p.ahead(1); (w == "src" || w == "dst") && w != first {
			q.dir = srcOrDst
			if isAnd {
				q.dir = srcAndDst
			}
			p.take()
			p.take()
		}
	}
	return true
}

// alone is a protocol's word without an argument.
func (p *parser) alone(w protocolWord) (*node, error) {
	switch w {
	case wordIP:
		return p.place.network(engine.EtherIPv4)
	case wordIP6:
		return p.place.network(engine.EtherIPv6)
	case wordARP:
		return p.place.network(engine.EtherARP)
	case wordICMP:
		return p.place.protocol(wordIP, w.number())
	case wordICMP6:
		return p.place.protocol(wordIP6, w.number())
	}
	return p.place.protocol(wordNone, w.number())
}

// argument is what the qualifiers speak of; it may also be denied, port not 80, or be several, port
// (80 or 443).
func (p *parser) argument(q qualifiers) (*node, error) {
	p.last = &q
	word := p.peek()
	if word == "not" || word == "!" || word == "(" {
		return p.term()
	}
	if _, join := joiner(word); join || word == "" || word == ")" {
		return nil, fmt.Errorf("%q where an argument belongs", word)
	}
	p.take()
	switch q.kind {
	case wordPort, wordPortRange:
		return p.port(q, word)
	case wordProto:
		if q.dir != srcOrDst || q.proto > wordIP6 {
			return nil, fmt.Errorf("proto follows ip, ip6 or nothing")
		}
		number, err := protocolNumber(word)
		if err != nil {
			return nil, err
		}
		return p.place.protocol(q.proto, number)
	}
	return p.address(q, word)
}
