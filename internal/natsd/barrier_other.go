//go:build !linux

package natsd

import "os"

// barrierSupported: the barrier was measured and cut off on Linux only.
const barrierSupported = false

func syncData(f *os.File) error { return f.Sync() }
