package store

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"sluice/pkg/message"
)

// background is the context of single statements. Each of them is bounded, so
// a caller's context is looked at between statements, not inside: watching it
// would cost the driver a goroutine for each.
var background = context.Background()

// Errors of a store. After each of them the database is as it was before the call.
var (
	// ErrDiskFull means that a retry cannot succeed until an operator frees space.
	ErrDiskFull = errors.New("the disk is full")

	// ErrLocked means that another program holds the database: somebody's sqlite3
	// with a transaction open. A retry succeeds once that lets go.
	ErrLocked = errors.New("another program has locked the database")

	// ErrNotOurs is returned by Open when the file is not a database of this
	// program. It is never overwritten: an operator must move it away.
	ErrNotOurs = errors.New("not a database of this program; move it away, or correct DATABASE_URL")

	// ErrNewerSchema is returned by Open when a newer program has migrated the
	// database: run that one.
	ErrNewerSchema = errors.New("the database has a newer schema than this program knows")

	// ErrNeedsRebuild is returned by Open when the database is older than a change
	// that is too big to be made in place. It serves the programs that made it until a
	// rebuild by this one takes its place.
	ErrNeedsRebuild = errors.New("the database's schema is too old to be migrated in place; run writer rebuild, which makes it anew")

	// ErrDamaged means that the file is damaged. The stream is the truth: the
	// database can be removed and made anew from it.
	ErrDamaged = errors.New("the database is damaged; move it away and the writer makes it anew from the stream")

	// ErrReplaced is returned once the file at the path is no longer the one that
	// is open: it was removed or another took its place. Close and Open again.
	ErrReplaced = errors.New("the database file was removed or replaced")

	// ErrOvertaken is returned, from then on, when another writer has the database
	// or its lock: the lock file was removed, or the file system does not lock. Close
	// and Open again, which waits for that writer's end.
	ErrOvertaken = errors.New("another writer has taken the database over")

	// ErrOtherStream is returned by Apply for a batch of another stream than the
	// store's: Rewind to that stream first.
	ErrOtherStream = errors.New("the batch is of another stream than the store")

	// errClosed is returned after Close.
	errClosed = errors.New("the store is closed")
)

// explain names the SQLite errors that an operator can do something about.
func explain(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_TOOBIG: // of a value, not of the database
		return fmt.Errorf("%w: %w", message.ErrRefused, err)
	case lib.SQLITE_FULL:
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	case lib.SQLITE_BUSY:
		return fmt.Errorf("%w: %w", ErrLocked, err)
	case lib.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", ErrNotOurs, err)
	case lib.SQLITE_CORRUPT:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// fromDatabase reports whether the database failed, as opposed to the question
// put to it.
func fromDatabase(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) || errors.Is(err, ErrDamaged) || errors.Is(err, ErrNotOurs)
}

// failedSync reports whether a file could not be synced: what was written to it
// may be lost although later syncs succeed.
func failedSync(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code() == lib.SQLITE_IOERR_FSYNC || e.Code() == lib.SQLITE_IOERR_DIR_FSYNC)
}
