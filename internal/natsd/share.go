package natsd

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

const (
	// storeShare of the disk that the store has or may yet have is a stream's by
	// default: the database has its copy of every message on the same disk.
	storeShare = 2

	// The default is a whole number of steps, so that it seldom changes: each
	// change has the server write the stream's description anew.
	shareStep      = 1 << 30
	smallShareStep = 16 << 20
)

// DefaultStreamBytes returns a limit for a stream in storeDir: half of what is
// free, or taken by the store already. The folder need not exist yet. Of a disk
// that is full now nobody knows what will be free, so it counts as empty: the
// reserve bounds the stream too.
func DefaultStreamBytes(storeDir string) (int64, error) {
	used, err := treeBytes(storeDir)
	if err != nil {
		return 0, fmt.Errorf("size of %s: %w", storeDir, err)
	}
	free, total, err := DiskSpace(nearest(storeDir))
	if err != nil {
		return 0, err
	}
	if free < defaultReserve(total) {
		free, used = total, 0
	}
	share := (free + used) / storeShare
	step := int64(shareStep)
	if share < 4*step {
		step = smallShareStep
	}
	return max(share/step, 1) * step, nil
}

// treeBytes adds up the files under dir; those that vanish meanwhile are nothing.
func treeBytes(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return ignoreGone(err)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return ignoreGone(err)
		}
		total += info.Size()
		return nil
	})
	return total, err
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// nearest returns dir, or the nearest folder above it that exists.
func nearest(dir string) string {
	for {
		if there, err := exists(dir); there || err != nil || filepath.Dir(dir) == dir {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}
