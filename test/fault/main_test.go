// Package fault breaks things under the real programs and looks at what is left
// of their promises:
//
//   - What was answered 200 is in the database in the end: once, and as it was
//     sent, or, where the only copy was destroyed, the loss is said aloud.
//   - A request gets an answer. What cannot be kept is 503 with Retry-After.
//   - When the fault is over, service returns without anybody's help.
//
// Each proof has a short version, which is what go test runs, and a long one
// behind -long. What a machine cannot do (strace, mounting file systems) is
// skipped with a line that begins with NOT PROVEN.
package fault

import (
	"flag"
	"testing"

	"sluice/test/harness"
)

// long runs the long versions.
var long = flag.Bool("long", false, "run each proof in its long version, for minutes instead of seconds")

func TestMain(m *testing.M) { harness.Main(m, printSummary) }

// shortOrLong returns how much of something the version under way does.
func shortOrLong[T any](inShort, inLong T) T {
	if *long {
		return inLong
	}
	return inShort
}

// notProven skips a proof that this machine cannot give.
func notProven(t *testing.T, why string, args ...any) {
	t.Helper()
	t.Skipf("NOT PROVEN: "+why, args...)
}
