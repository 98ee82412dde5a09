package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"
)

// lockPath is the file whose lock says that a writer has the database open. It
// is a file of its own, so that it outlives a database that is deleted or
// replaced, and SQLite's locks are left alone.
func lockPath(database string) string { return database + ".lock" }

const standbyPoll = 200 * time.Millisecond

// lock takes the writer's lock on the database for as long as the returned file
// is open. While another writer has it, it stands by until that one ends or ctx
// does.
func lock(ctx context.Context, database string, log *slog.Logger) (*os.File, error) {
	f, err := os.OpenFile(lockPath(database), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(standbyPoll)
	defer tick.Stop()
	for attempt := 0; ; attempt++ {
		switch free, err := tryLock(f); {
		case err != nil:
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		case free:
			return f, nil
		}
		if attempt == 0 {
			log.InfoContext(ctx, "another writer has the database open, standing by", "database", database)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}

// fence returns ErrOvertaken unless this writer still holds the lock that others
// ask for, and the database is as this writer left it. It is called inside the
// transaction that is to change it, so nobody else can meanwhile.
func (s *Store) fence() error {
	if s.config.bulk {
		return nil // nobody else knows the file
	}
	if err := s.stillLocked(); err != nil {
		return err
	}
	is, err := loadState(s.conn)
	if err != nil {
		return err
	}
	was := &s.state
	if is.stream != was.stream || is.checkpoint != was.checkpoint || is.nextRID != was.nextRID || is.rewinds != was.rewinds || is.outcomes != was.outcomes {
		return fmt.Errorf("%w: it is at %d, this writer left it at %d", ErrOvertaken, is.checkpoint.Seq, was.checkpoint.Seq)
	}
	return nil
}

// stillLocked returns ErrOvertaken if the lock that others ask for is not the one
// that this writer holds.
func (s *Store) stillLocked() error {
	ours, err := s.lock.Stat()
	if err != nil {
		return err
	}
	if there, err := os.Stat(lockPath(s.path)); err != nil || !os.SameFile(ours, there) {
		return fmt.Errorf("%w: %s was removed or replaced", ErrOvertaken, lockPath(s.path))
	}
	return nil
}

// writerPresent reports whether a running writer has the database open.
func writerPresent(database string) bool {
	f, err := os.Open(lockPath(database))
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil {
		return false
	}
	defer f.Close()
	locked, err := isLocked(f)
	return err == nil && locked
}
