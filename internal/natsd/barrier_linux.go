package natsd

import (
	"os"

	"golang.org/x/sys/unix"
)

// barrierSupported says that this system's fdatasync means what Barrier needs.
const barrierSupported = true

// dataSync returns the disk's syncData. It makes a file's bytes and size durable
// (fdatasync(2): metadata that is needed to read the bytes back is included), for one
// caller alone by the call that is soonest back, for more by the one that leaves them
// the processors.
func dataSync() (sync func(f *os.File, callers int) error, release func()) {
	a, err := newAIO()
	if err != nil { // old kernels, sandboxes
		return func(f *os.File, _ int) error { return fdatasync(f) }, func() {}
	}
	return func(f *os.File, callers int) error {
		if callers == 1 || a.begin(f) != nil {
			return fdatasync(f)
		}
		return a.end()
	}, a.close
}

func fdatasync(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return err
		}
	}
}
