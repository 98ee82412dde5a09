package natsd

import (
	"os"

	"golang.org/x/sys/unix"
)

// barrierSupported says that this system's fdatasync means what Barrier needs.
const barrierSupported = true

// syncData makes a file's bytes and size durable (fdatasync(2): metadata that is
// needed to read the bytes back is included).
func syncData(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return err
		}
	}
}
