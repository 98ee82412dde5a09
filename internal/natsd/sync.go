package natsd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// syncTree has sync make durable every file under dir, then every folder, dir's
// parent included. Files that vanish meanwhile do not matter.
//
// Needed at each start, once the stream exists: nats-server does not sync the
// files that describe a stream, nor the folders that hold them, so a power cut
// would take them and the blocks with them; and a process that was killed left
// blocks behind that nobody synced, whose messages would now be answered as
// duplicates.
func syncTree(dir string, sync func(path string) error) error {
	dirs := []string{filepath.Dir(dir)}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case d.IsDir():
			dirs = append(dirs, path)
			return nil
		case d.Type().IsRegular():
			return sync(path)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	for i := len(dirs) - 1; i >= 0; i-- { // the deepest first
		if err := sync(dirs[i]); err != nil {
			return fmt.Errorf("sync %s: %w", dirs[i], err)
		}
	}
	return nil
}

// syncPath makes a file or folder durable; one that is not there any more is.
func syncPath(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// makeDir makes dir and what is missing above it, durably.
func makeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is not a folder", dir)
		}
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncPath(parent)
}

// SyncTree makes everything durable that the server has written so far.
func (s *Server) SyncTree() error { return syncTree(s.opts.StoreDir, syncPath) }
