package store

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// The room that a generation leaves: twice the reserve below which the api
// refuses webhooks (internal/natsd), should the stream be on the same disk.
const (
	roomShare = 10 // a tenth of the disk
	roomMin   = 16 << 20
	roomMax   = 1 << 30
)

// room returns ErrLowDisk when a directory's disk has too little.
func room(dir string) error {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return fmt.Errorf("free space of %s: %w", dir, err)
	}
	free, total := int64(s.Bavail)*int64(s.Bsize), int64(s.Blocks)*int64(s.Bsize)
	if need := min(max(total/roomShare, roomMin), roomMax); free < need {
		return fmt.Errorf("%w: %d MiB free, %d MiB must stay", ErrLowDisk, free>>20, need>>20)
	}
	return nil
}
