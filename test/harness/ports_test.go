package harness_test

import (
	"testing"

	"sluice/test/harness"
)

// A cluster asks for some forty before anybody listens.
func TestFreeAddress_isGivenOnce(t *testing.T) {
	given := map[string]bool{}
	for range 1000 {
		addr := harness.FreeAddress(t)
		if given[addr] {
			t.Fatalf("%s twice", addr)
		}
		given[addr] = true
	}
}
