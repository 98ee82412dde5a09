//go:build !linux

package natsd

import "os"

// barrierSupported: the barrier was measured and cut off on Linux only.
const barrierSupported = false

func dataSync() (sync func(f *os.File, callers int) error, release func()) {
	return func(f *os.File, _ int) error { return f.Sync() }, func() {}
}
