package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"modernc.org/sqlite"

	"sluice/pkg/message"
)

// ErrExists is returned by Snapshot when there is a file at its path already. It
// is never overwritten.
var ErrExists = errors.New("the file exists already")

// partialSuffix marks a snapshot that is not complete.
const partialSuffix = ".partial"

// snapshotPages is how many pages are copied before ctx is looked at.
const snapshotPages = 1024

// Snapshot copies the database at path, as of one moment, into the new file to,
// and returns its status. The copy is one file, on disk when Snapshot returns,
// and complete or not there at all. A writer goes on meanwhile: its log grows
// for as long as the copy takes, no longer. progress is told of pages.
//
// It uses SQLite's backup inside one read transaction. VACUUM INTO would make
// every index anew: many times as long, in which the log grows on.
func Snapshot(ctx context.Context, path, to string, progress func(done, total int64)) (message.StoreStatus, error) {
	st, err := takeSnapshot(ctx, path, to, progress)
	if err != nil {
		return message.StoreStatus{}, fmt.Errorf("snapshot of %s: %w", path, err)
	}
	return st, nil
}

func takeSnapshot(ctx context.Context, path, to string, progress func(done, total int64)) (st message.StoreStatus, err error) {
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return st, errors.Join(fmt.Errorf("%w: %s", ErrExists, to), err)
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return st, err
	}
	c, err := openForReading(target, 8<<20)
	if err != nil {
		return st, err
	}
	defer c.close()
	if err := c.exec("BEGIN"); err != nil {
		return st, err
	}
	if st, err = statusOf(c, target); err != nil { // and with it the transaction sees its moment
		return st, err
	}
	partial := to + partialSuffix
	if err := removeDatabase(partial); err != nil { // of a run that was killed
		return st, err
	}
	if err := c.copyTo(ctx, partial, progress); err != nil {
		return st, errors.Join(err, removeDatabase(partial))
	}
	if err := syncFile(partial); err != nil {
		return st, errors.Join(err, removeDatabase(partial))
	}
	if err := os.Rename(partial, to); err != nil {
		return st, err
	}
	st.Bytes, st.WALBytes = fileSizes(to)
	return st, syncDir(filepath.Dir(to))
}

// copyTo copies the database, as the open transaction sees it, into a new file.
func (c *conn) copyTo(ctx context.Context, to string, progress func(done, total int64)) error {
	source, ok := c.driver.(interface {
		NewBackup(to string) (*sqlite.Backup, error)
	})
	if !ok {
		panic(fmt.Sprintf("store: a %T makes no backups", c.driver))
	}
	backup, err := source.NewBackup(fileURI(to, "rwc"))
	if err != nil {
		return explain(err)
	}
	for more := true; more; {
		if more, err = backup.Step(snapshotPages); err == nil {
			err = ctx.Err()
		}
		if err != nil {
			_ = backup.Finish() // it repeats the error of the step
			return explain(err)
		}
		total := int64(backup.PageCount())
		progress(total-int64(backup.Remaining()), total)
	}
	made, err := backup.Commit()
	if err != nil {
		return explain(err)
	}
	copied := &conn{driver: made, stmts: make(map[string]statement)}
	// One file, that anybody can open wherever it lies.
	return errors.Join(copied.script("PRAGMA journal_mode = DELETE"), copied.close())
}

// CheckFile looks whether a database is whole: SQLite's own check of every page
// and index, and the totals against the rows. Nobody may be writing to it. The
// error wraps ErrDamaged and says what is wrong.
func CheckFile(ctx context.Context, path string) (message.StoreStatus, error) {
	st, err := checkFile(ctx, path)
	if err != nil {
		return st, fmt.Errorf("check %s: %w", path, err)
	}
	return st, nil
}

func checkFile(ctx context.Context, path string) (st message.StoreStatus, err error) {
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return st, err
	}
	c, err := openForReading(path, 64<<20)
	if err != nil {
		return st, err
	}
	defer c.close()
	if err := c.integrity(ctx); err != nil {
		return st, err
	}
	for _, check := range totalChecks {
		row, err := c.one(check.sql)
		if err != nil {
			return st, err
		}
		if integer(row[0]) != integer(row[1]) {
			return st, fmt.Errorf("%w: %s: %d by the counters, %d by the rows", ErrDamaged, check.what, row[0], row[1])
		}
		if err := ctx.Err(); err != nil {
			return st, err
		}
	}
	return statusOf(c, path)
}

// totalChecks compare what is counted with what is there.
var totalChecks = []struct{ what, sql string }{
	{"messages", "SELECT messages, (SELECT count(*) FROM messages) FROM state"},
	{"senders", "SELECT senders, (SELECT count(*) FROM senders) FROM state"},
	{"messages of senders", "SELECT coalesce(sum(rows), 0), (SELECT count(*) FROM messages) FROM senders"},
	{"messages of segments", "SELECT coalesce(sum(rows), 0), (SELECT count(*) FROM messages) FROM segments"},
	{"messages in the rank index", "SELECT coalesce(sum(rows), 0), (SELECT count(*) FROM messages) FROM rank_groups WHERE ord = 0"},
}

// integrity runs SQLite's own check.
func (c *conn) integrity(ctx context.Context) error {
	s, err := c.prepare("PRAGMA integrity_check(1)")
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, nil)
	if err != nil {
		return explain(err)
	}
	defer rows.Close()
	row := make([]driver.Value, 1)
	if err := rows.Next(row); err != nil {
		return explain(err)
	}
	if said := str(row[0]); said != "ok" {
		return fmt.Errorf("%w: %s", ErrDamaged, said)
	}
	return nil
}

// removeDatabase removes a database that nobody has open, with what SQLite keeps
// beside it.
func removeDatabase(path string) error {
	var errs []error
	for _, suffix := range []string{walSuffix, shmSuffix, "-journal", ""} {
		errs = append(errs, remove(path+suffix))
	}
	return errors.Join(errs...)
}

// syncFile makes what was written to a file survive a power cut.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
