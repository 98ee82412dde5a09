//go:build linux || darwin

package natsd

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// DiskSpace returns the bytes that may still be written to the disk that holds
// path, and its size.
func DiskSpace(path string) (free, total int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, 0, fmt.Errorf("disk space of %s: %w", path, err)
	}
	return int64(s.Bavail) * int64(s.Bsize), int64(s.Blocks) * int64(s.Bsize), nil
}
