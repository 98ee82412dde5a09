package store

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// pageBytes is SQLite's page size, for new databases. Against the usual 4096 a
// batch changes half as many pages, which is what a commit pays for.
const pageBytes = 8192

// busyTimeout is how long SQLite waits for a lock.
const busyTimeout = time.Second

// walConfig bounds the write-ahead log. It is taken into the database rarely:
// each page that many batches have changed is written once, in order. Its size
// is counted in frames, one changed page each. Tests choose small numbers.
type walConfig struct {
	checkpointFrames int64 // from here on it is taken as far as readers allow, after each batch
	restartFrames    int64 // from here on readers are waited for
	readerWait       time.Duration
	keepBytes        int64 // of the file, once it could begin anew
}

var defaultWALConfig = walConfig{
	checkpointFrames: 128 << 20 / pageBytes,
	restartFrames:    512 << 20 / pageBytes,
	readerWait:       busyTimeout,
	keepBytes:        256 << 20,
}

// Sync returns once everything applied so far survives a power cut. After an
// error nothing is known of what is on disk and the store cannot be trusted to
// ever know: the error comes again on every call, open the store anew.
//
// A commit writes to the log without syncing it (synchronous=NORMAL). Syncing the
// log's file makes every commit durable: SQLite itself syncs the log before it
// takes it into the database, and the database before it begins the log anew, see
// https://www.sqlite.org/wal.html section 2.
func (s *Store) Sync(ctx context.Context) error {
	s.mu.Lock()
	wal, err := s.wal, s.syncErr
	if s.conn == nil {
		err = errClosed
	}
	s.mu.Unlock()
	if err = cmp.Or(err, ctx.Err()); err != nil {
		return err
	}

	// Batches may go on meanwhile.
	err = wal.Sync()
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.syncErr == nil {
		// The kernel may have dropped the pages it could not write: another fsync
		// would succeed and mean nothing.
		s.syncErr = fmt.Errorf("sync %s: %w", wal.Name(), err)
	}
	return s.syncErr
}

// limitWAL takes the log into the database when it has grown. A failure is no
// failure of the batch, which is committed; the log is tried again after the next.
func (s *Store) limitWAL() {
	limits := s.config.wal
	_, frames, err := s.conn.checkpointWAL("NOOP")
	if frames < limits.restartFrames {
		s.walPatience = 0
	}
	switch {
	case err != nil || frames < limits.checkpointFrames:
	case frames < max(limits.restartFrames, s.walPatience):
		_, _, err = s.conn.checkpointWAL("PASSIVE")
	default:
		var busy bool
		if busy, _, err = s.conn.checkpointWAL("RESTART"); busy {
			s.config.Logger.Warn("a reader keeps the write-ahead log growing", "frames", frames)
			s.walPatience = frames + limits.checkpointFrames // a batch cannot wait for it each time
		}
	}
	if err == nil {
		return
	}
	s.config.Logger.Error("write-ahead log was not taken into the database", "error", err)
	if failedSync(err) {
		s.syncErr = err
	}
}

// checkpointWAL takes the log into the database, in one of the modes of
// https://www.sqlite.org/pragma.html#pragma_wal_checkpoint. busy tells that
// readers still need it; frames is how many pages it holds.
func (c *conn) checkpointWAL(mode string) (busy bool, frames int64, err error) {
	row, err := c.one("PRAGMA wal_checkpoint(" + mode + ")")
	if err != nil || row == nil {
		return false, 0, err
	}
	return integer(row[0]) != 0, integer(row[1]), nil
}

// makeDir makes a directory and those above it that survive a power cut.
func makeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if err := makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
		return err
	}
	return syncDir(parent)
}

// syncDir makes the names in a directory survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
