package store

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// The lock is one of the open file description (fcntl(2), F_OFD_SETLK): it lasts
// as long as the file is open, ends with the process however that ends, and a
// reader can ask for it without disturbing anybody.

// tryLock takes the exclusive lock on f and reports whether it was free.
func tryLock(f *os.File) (bool, error) {
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	return err == nil, err
}

// isLocked reports whether somebody else holds the lock on f.
func isLocked(f *os.File) (bool, error) {
	lock := unix.Flock_t{Type: unix.F_RDLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
		return false, err
	}
	return lock.Type != unix.F_UNLCK, nil
}
