package netflow9

import (
	"testing"

	"ulogd/test/ledgertest"
)

// TestLedger holds CONFORMANCE.md to what it promises.
func TestLedger(t *testing.T) {
	ledgertest.Check(t, "CONFORMANCE.md", map[string]int{"V9": 15}, ".", "../../../test/decoders")
}
