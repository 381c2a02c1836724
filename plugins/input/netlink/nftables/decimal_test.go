package nftables

import (
	"bytes"
	"math/big"
	"testing"
)

// Numbers of any length are those that math/big, which a router has no room for, writes.
func TestDecimal(t *testing.T) {
	for _, v := range [][]byte{
		make([]byte, 9), {1, 0, 0, 0, 0, 0, 0, 0, 0}, bytes.Repeat([]byte{0xff}, 16), append(make([]byte, 30), 7, 0x5b, 0xcd, 0x15),
	} {
		before := bytes.Clone(v)
		if got, want := decimal(v), new(big.Int).SetBytes(v).String(); got != want {
			t.Errorf("%x is %s, want %s", v, got, want)
		}
		if !bytes.Equal(v, before) {
			t.Errorf("%x has become %x", before, v)
		}
	}
}
