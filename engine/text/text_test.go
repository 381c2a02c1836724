package text

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestAppendClean(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "",
		`IN: "x" 100% 'y' \ é ,=`: `IN: "x" 100% 'y' \ é ,=`,
		"a\nb":                    `a\x0ab`,
		"\x00\x1b[2J\x7f":         `\x00\x1b[2J\x7f`,
		"\xff\xa0":                "\xff\xa0",
		"\x9b2J":                  `\x9b2J`,
		"é\u009b2Jß":              `é\xc2\x9b2Jß`,
		"a\u0085b\xc2":            `a\xc2\x85b` + "\xc2",
		"日本\x80":                  `日本\x80`,
	} {
		if got := string(AppendClean([]byte("."), []byte(in))); got != "."+want {
			t.Errorf("%q becomes %q, want .%q", in, got, want)
		}
	}
}

// TestAppendCleanAnywhere has every octet at every place of a line that is looked at eight octets at a time.
func TestAppendCleanAnywhere(t *testing.T) {
	const line = "IN=eth0 OUT= SRC=10.0.0.1"
	for c := range 256 {
		for at := range line {
			in := line[:at] + string([]byte{byte(c)}) + line[at:]
			want := in
			if c < ' ' || c >= 0x7f && c <= 0x9f {
				want = line[:at] + fmt.Sprintf(`\x%02x`, c) + line[at:]
			}
			if got := string(AppendClean(nil, []byte(in))); got != want {
				t.Fatalf("%q becomes %q, want %q", in, got, want)
			}
		}
	}
}

func TestAppendField(t *testing.T) {
	for in, want := range map[string]string{
		"drop, in":        "drop, in",
		"a=b":             "a=b",
		"a=b,c":           "a=b,c",
		"x,oob.uid=0":     `x\x2coob.uid=0`,
		"a,b=c,d=e,f\n":   `a\x2cb=c\x2cd=e,f\x0a`,
		"\n,=":            `\x0a\x2c=`,
		"IN: quote\" 50%": "IN: quote\" 50%",
	} {
		if got := string(AppendField(nil, []byte(in))); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

// FuzzAppendField wants that no value can add a line or a field.
func FuzzAppendField(f *testing.F) {
	f.Add("x,oob.uid=0")
	f.Add("\r\n,=,=")
	f.Add("\x9b\u009b\u0085,\x80=ß")
	f.Fuzz(func(t *testing.T, s string) {
		out := string(AppendField(nil, []byte(s)))
		if strings.ContainsFunc(out, unicode.IsControl) {
			t.Errorf("%q leaves control characters in %q", s, out)
		}
		for i := 0; i < len(out); {
			r, n := utf8.DecodeRuneInString(out[i:])
			if IsC1(r, n, out[i]) {
				t.Errorf("%q leaves the control character %x in %q", s, out[i:i+n], out)
			}
			i += n
		}
		for i, piece := range strings.Split(out, ",") {
			if i > 0 && strings.Contains(piece, "=") {
				t.Errorf("%q forges the field %q", s, piece)
			}
		}
	})
}

func TestSecond(t *testing.T) {
	s := Layout("2006/01/02-15:04:05")
	for _, sec := range []int64{0, 0, 1795227993, 1795227993, 5} {
		if got, want := string(s.Text(sec)), time.Unix(sec, 0).Format("2006/01/02-15:04:05"); got != want {
			t.Errorf("second %d is %q, want %q", sec, got, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { s.Text(7); s.Text(8) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
