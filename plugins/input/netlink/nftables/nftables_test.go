// Answers that no kernel gives, and those that only other kernels give. What the kernel here says is
// compared with nft by NFTCOUNTER's tests.
package nftables

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ulogd/plugins/input/netlink/nlattr"
	"ulogd/test/nstest"
)

// answer builds what a set and its elements are told in.
func answer(flags, key uint32, host bool, elements ...[]byte) (set, list []byte) {
	set = appendWord(nil, unix.NFTA_SET_TABLE, "t")
	set = appendWord(set, unix.NFTA_SET_NAME, "s")
	set = append32(set, unix.NFTA_SET_FLAGS, flags)
	set = append32(set, unix.NFTA_SET_KEY_TYPE, key)
	if host {
		note := append([]byte{userKeyByteOrder, 4}, binary.NativeEndian.AppendUint32(nil, userByteOrderHost)...)
		set = nlattr.Append(set, unix.NFTA_SET_USERDATA, append([]byte{9, 1, 0}, note...))
	}
	for _, e := range elements {
		list = nlattr.Append(list, unix.NFTA_LIST_ELEM, e)
	}
	return set, nlattr.Append(nil, unix.NFTA_SET_ELEM_LIST_ELEMENTS, list)
}

func anElement(key []byte, flags uint32, packets uint64, expressions bool) []byte {
	data := nlattr.Append64(nil, unix.NFTA_COUNTER_BYTES, packets*100)
	data = nlattr.Append64(data, unix.NFTA_COUNTER_PACKETS, packets)
	expr := nlattr.Append(appendWord(nil, unix.NFTA_EXPR_NAME, "counter"), unix.NFTA_EXPR_DATA, data)
	e := append32(nil, unix.NFTA_SET_ELEM_FLAGS, flags)
	if key != nil {
		e = nlattr.Append(e, unix.NFTA_SET_ELEM_KEY, nlattr.Append(nil, unix.NFTA_DATA_VALUE, key))
	}
	if expressions { // a set of several statements
		quota := appendWord(nil, unix.NFTA_EXPR_NAME, "quota")
		list := nlattr.Append(nlattr.Append(nil, unix.NFTA_LIST_ELEM, quota), unix.NFTA_LIST_ELEM, expr)
		return nlattr.Append(e, elemExpressions, list)
	}
	return nlattr.Append(e, unix.NFTA_SET_ELEM_EXPR, expr)
}

// read reads an answer as Elements does.
func read(set, list []byte) (text []string) {
	s, ok := setOf(body{unix.NFPROTO_INET, set})
	if !ok {
		return nil
	}
	var all []element
	each(list, func(_ uint16, v []byte) {
		each(v, func(_ uint16, v []byte) {
			if e, ok := elementOf(v); ok {
				all = append(all, e)
			}
		})
	})
	for _, e := range s.told(all) {
		text = append(text, fmt.Sprintf("%s=%d", e.Text, e.Packets))
	}
	return text
}

func TestElements(t *testing.T) {
	end := uint32(unix.NFT_SET_ELEM_INTERVAL_END)
	for _, c := range []struct {
		name       string
		flags, key uint32
		host       bool
		elements   [][]byte
		want       string
	}{
		{"several statements", 0, typeService, false, [][]byte{anElement([]byte{0, 22}, 0, 3, true)}, "22=3"},
		{"catch-all", 0, typeService, false, [][]byte{anElement(nil, flagCatchAll, 4, false)}, "*=4"},
		{"neither key nor catch-all", 0, typeService, false, [][]byte{anElement(nil, 0, 4, false)}, ""},
		{
			"intervals from behind", unix.NFT_SET_INTERVAL, typeService, false,
			[][]byte{
				anElement([]byte{0, 90}, end, 0, false), anElement([]byte{0, 80}, 0, 2, false),
				anElement([]byte{0, 20}, end, 0, false),
				anElement([]byte{0, 10}, 0, 1, false), anElement([]byte{0, 0}, end, 0, false),
			},
			"10-19=1 80-89=2",
		},
		{
			"one interval begins where the other ends", unix.NFT_SET_INTERVAL, typeService, false,
			[][]byte{
				anElement([]byte{0, 1}, 0, 1, false), anElement([]byte{0, 6}, 0, 2, false),
				anElement([]byte{0, 7}, end, 0, false),
			},
			"1-5=1 6=2",
		},
		{
			"no end", unix.NFT_SET_INTERVAL, typeIPv4, false,
			[][]byte{anElement([]byte{224, 0, 0, 0}, 0, 9, false)},
			"224.0.0.0/3=9",
		},
		{
			"a number of the machine's byte order", 0, typeInteger, true,
			[][]byte{anElement(binary.NativeEndian.AppendUint32(nil, 4321), 0, 1, false)},
			"4321=1",
		},
		{"a type that is not known", 0, 63, false, [][]byte{anElement([]byte{1, 0}, 0, 1, false)}, "256=1"},
		{
			"a concatenation without lengths", 0, typeIPv4<<6 | typeService, false,
			[][]byte{anElement([]byte{192, 0, 2, 1, 0, 53, 0, 0}, 0, 1, false)},
			"192.0.2.1 . 53=1",
		},
		{
			"a concatenation that is cut", 0, typeIPv4<<6 | typeService, false,
			[][]byte{anElement([]byte{192, 0, 2, 1, 0}, 0, 1, false)},
			"00=1",
		},
		{"an address of a wrong length", 0, typeIPv4, false, [][]byte{anElement([]byte{1, 2}, 0, 1, false)}, "258=1"},
	} {
		set, list := answer(c.flags, c.key, c.host, c.elements...)
		if got := strings.Join(read(set, list), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// FuzzSet: no answer ends the program.
func FuzzSet(f *testing.F) {
	for _, key := range []uint32{typeIPv4, typeIfname, typeIPv4<<12 | typeProto<<6 | typeService, typeMark} {
		for _, flags := range []uint32{0, unix.NFT_SET_INTERVAL, unix.NFT_SET_INTERVAL | flagConcat} {
			set, list := answer(flags, key, true, anElement([]byte{10, 0, 0, 0}, 0, 1, true),
				anElement([]byte{10, 0, 0}, 1, 1, false))
			f.Add(set, list)
		}
	}
	f.Fuzz(func(t *testing.T, set, list []byte) {
		for _, text := range read(set, list) {
			if !strings.Contains(text, "=") {
				t.Errorf("%q", text)
			}
		}
		countersOf([]body{{1, set}, {1, list}})
		logGroup(expression(set))
	})
}

// TestLogGroups reads rules of nft and of iptables.
func TestLogGroups(t *testing.T) {
	nstest.Need(t, "root", "nflog", "tool:iptables")
	ns := nstest.New(t)
	ns.Nft(t, "table inet t { chain c { type filter hook input priority 0; log group 7 prefix \"x\"; log prefix "+
		"\"kernel\"; log group 3; }; }")
	want := []uint16{3, 7}
	if strings.Contains(ns.Run(t, "iptables --version"), "nf_tables") {
		ns.Run(t, "iptables -A INPUT -p udp -j NFLOG --nflog-group 5")
		want = []uint16{3, 5, 7}
	}
	ns.Do(t, func() {
		c, err := Dial()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got, err := c.LogGroups(); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v, %v; want %v", got, err, want)
		}
	})
}
