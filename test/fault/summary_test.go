package fault

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"sluice/test/harness"
)

// summary is what the tests of one run went through, for the line at its end.
var summary struct {
	mu     sync.Mutex
	faults map[string]int
}

// survived notes faults after which the programs went on.
func survived(count int, what string) {
	summary.mu.Lock()
	defer summary.mu.Unlock()
	if summary.faults == nil {
		summary.faults = map[string]int{}
	}
	summary.faults[what] += count
}

// printSummary prints the line, where anything is printed of tests that pass.
func printSummary() {
	if !testing.Verbose() {
		return
	}
	summary.mu.Lock()
	defer summary.mu.Unlock()
	var faults []string
	for _, what := range slices.Sorted(maps.Keys(summary.faults)) {
		faults = append(faults, fmt.Sprint(summary.faults[what], " ", what))
	}
	fmt.Printf("FIGURES: survived %s; %v; seed %d\n", strings.Join(faults, ", "), harness.Audited(), *seed)
}
