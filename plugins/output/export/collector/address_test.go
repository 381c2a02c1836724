package collector

import "testing"

func TestParseAddress(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"collector.example", "collector.example:4739"},
		{"collector.example:2055", "collector.example:2055"},
		{"192.0.2.1", "192.0.2.1:4739"},
		{"192.0.2.1:99", "192.0.2.1:99"},
		{"2001:db8::1", "[2001:db8::1]:4739"},
		{"[2001:db8::1]", "[2001:db8::1]:4739"},
		{"[2001:db8::1]:99", "[2001:db8::1]:99"},
		{"fe80::1%lo", "[fe80::1%lo]:4739"},
	} {
		a, err := ParseAddress(c.in, 4739)
		if err != nil || a.String() != c.want {
			t.Errorf("%q is %v (%v), want %s", c.in, a, err, c.want)
		}
	}
	for _, bad := range []string{"", ":1", "a:0", "a:65536", "a:b", "a b", "a/b", "[::1", "[::1]x", "[x]:1", "1:2:3"} {
		if a, err := ParseAddress(bad, 4739); err == nil {
			t.Errorf("%q is accepted as %v", bad, a)
		}
	}
}
