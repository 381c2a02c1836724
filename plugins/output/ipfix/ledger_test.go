package ipfix

import (
	"testing"

	"ulogd/test/ledgertest"
)

// rows is how many requirements each part of the checklist has.
var rows = map[string]int{
	"I-MSG": 10, "I-SET": 4, "I-TPL": 6, "I-ENC": 10, "I-TM": 8, "I-UDP": 10, "I-TCP": 6, "I-SCTP": 3, "I-PORT": 1, "I-SESS": 1,
	"I-TLS": 10, "I-OPT": 4, "I-BI": 10, "I-LST": 6, "I-FILE": 12, "I-IM": 5,
}

// TestLedger holds CONFORMANCE.md to what it promises.
func TestLedger(t *testing.T) {
	ledgertest.Check(t, "CONFORMANCE.md", rows, ".", "../../../test/decoders")
}
