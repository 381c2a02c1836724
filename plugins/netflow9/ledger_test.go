package netflow9

import (
	"testing"

	"ulogd/engine/ledgertest"
)

// TestLedger holds CONFORMANCE.md to what it promises.
func TestLedger(t *testing.T) {
	ledgertest.Check(t, "CONFORMANCE.md", map[string]int{"V9": 15}, ".", "../../stacks/decoders")
}
