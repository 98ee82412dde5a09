package store

import "testing"

// seeds is how many random histories a property is tried on: n of them, one under
// -short, as the race detector slows SQLite down some forty times.
func seeds(n uint64) uint64 {
	if testing.Short() {
		return 1
	}
	return n
}
