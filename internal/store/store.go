// Package store is the database: it applies batches, keeps the checkpoint, and
// answers queries. It knows SQLite and nothing of the stream, the writer or HTTP.
// DESIGN.md explains the tables and the invariants.
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"sluice/pkg/message"
)

// Config is what Open needs.
type Config struct {
	Path   string       // of the database file; a symbolic link to it is followed
	Logger *slog.Logger // nil for none

	CacheBytes int64 // page cache of the connection, default 256 MiB

	bulk bool // of a Generation: no lock of its own, no sync

	segmentBits int          // of a new database, default segmentBits
	sizes       rankSizes    // default defaultRankSizes
	search      searchConfig // default defaultSearchConfig
	wal         walConfig    // default defaultWALConfig
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.CacheBytes <= 0 {
		c.CacheBytes = 256 << 20
	}
	if c.segmentBits == 0 {
		c.segmentBits = segmentBits
	}
	if c.sizes == (rankSizes{}) {
		c.sizes = defaultRankSizes
	}
	if c.search == (searchConfig{}) {
		c.search = defaultSearchConfig
	}
	if c.wal == (walConfig{}) {
		c.wal = defaultWALConfig
	}
	return c
}

// Store is the database as the writer has it: one connection that reads and
// writes. Its methods may be called by several goroutines; they take turns.
type Store struct {
	config Config
	path   string // absolute, links not resolved
	lock   *os.File

	mu    sync.Mutex
	conn  *conn
	file  os.FileInfo // of the database that is open
	wal   *os.File    // its write-ahead log, for Sync
	stale bool        // what follows may differ from the database: load it again

	state    state
	segments segments
	ranks    rankIndex
	top      topSenders

	indexer        *indexer
	recent         recentRows
	unindexedBytes int // of text behind the search index, roughly

	overtaken   error // ErrOvertaken, for ever
	syncErr     error // of a file that could not be synced, for ever
	walPatience int64 // frames in the log before readers are waited for again
}

// Open opens the database, makes it and its directory if need be, and brings its
// schema up to date. It waits for another writer that has it open, as a standby,
// until ctx ends.
//
// The error wraps ErrNotOurs, ErrNewerSchema, ErrNeedsRebuild or ErrDamaged where that is the
// reason; nothing was changed then.
func Open(ctx context.Context, config Config) (*Store, error) {
	config = config.withDefaults()
	path, err := filepath.Abs(config.Path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	s := &Store{config: config, path: path, ranks: rankIndex{sizes: config.sizes}}
	if err := s.open(ctx); err != nil {
		_ = s.close()
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) (err error) {
	if err := makeDir(filepath.Dir(s.path)); err != nil {
		return err
	}
	if !s.config.bulk {
		if s.lock, err = lock(ctx, s.path, s.config.Logger); err != nil {
			return err
		}
		if err := sweepUnlessMaking(s.path); err != nil {
			s.config.Logger.Warn("old generations of the database were not removed", "error", err)
		}
	}
	target, err := s.target()
	if err != nil {
		return err
	}
	if s.conn, err = openConn(target, "rwc"); err != nil {
		return err
	}
	if err := s.prepare(); err != nil {
		return err
	}
	if s.file, err = os.Stat(s.path); err != nil {
		return err
	}
	if s.wal, err = os.Open(target + walSuffix); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(target)); err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return err
	}
	if err := s.forgetOldBlocks(); err != nil {
		return err
	}
	s.indexer = startIndexer(s)
	s.indexer.notice()
	return nil
}

// target resolves a symbolic link and removes what a deleted database has left
// beside it: SQLite would take the old log for the new database's.
func (s *Store) target() (string, error) {
	target, err := filepath.EvalSymlinks(s.path)
	if err == nil {
		return target, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if link, err := os.Readlink(s.path); err == nil {
		return "", fmt.Errorf("the link leads to %s, which does not exist", link)
	}
	for _, suffix := range []string{walSuffix, shmSuffix} {
		if err := remove(s.path + suffix); err != nil {
			return "", err
		}
	}
	return s.path, nil
}

const (
	walSuffix = "-wal"
	shmSuffix = "-shm"
)

// prepare sets the connection up and migrates the schema.
func (s *Store) prepare() error {
	// The first of several programs to open a file recovers its log, and holds it meanwhile.
	if err := s.conn.script(fmt.Sprintf("PRAGMA busy_timeout = %d", s.config.wal.readerWait.Milliseconds())); err != nil {
		return err
	}
	// Before the journal mode, which would change a file that is not ours.
	if _, err := schemaOf(s.conn); err != nil {
		return err
	}
	err := s.conn.script(fmt.Sprintf(`
		PRAGMA page_size = %d;
		PRAGMA journal_mode = WAL;
		PRAGMA synchronous = NORMAL;
		PRAGMA wal_autocheckpoint = 0;
		PRAGMA journal_size_limit = %d;
		PRAGMA temp_store = MEMORY;
		PRAGMA cache_size = -%d`, pageBytes, s.config.wal.keepBytes, s.config.CacheBytes>>10))
	if err != nil {
		return err
	}
	if s.config.bulk {
		if err := s.conn.exec("PRAGMA synchronous = OFF"); err != nil {
			return err
		}
	}
	if err := migrate(s.conn, s.config.segmentBits); err != nil {
		return err
	}
	// The new database is in its own file and on disk before anything is built on it.
	_, _, err = s.conn.checkpointWAL("TRUNCATE")
	return err
}

// load reads what the store keeps in memory.
func (s *Store) load() (err error) {
	s.stale = true
	if s.state, err = loadState(s.conn); err != nil {
		return err
	}
	if err := s.segments.load(s.conn, s.state.nextRID); err != nil {
		return err
	}
	if err := s.ranks.load(s.conn); err != nil {
		return err
	}
	if err := s.top.load(s.conn); err != nil {
		return err
	}
	s.recent.restart(s.state.nextRID)
	s.stale = false
	return nil
}

// use calls f with the connection to itself and what is in memory up to date.
func (s *Store) use(ctx context.Context, f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.conn == nil:
		return errClosed
	case ctx.Err() != nil:
		return ctx.Err()
	}
	if s.stale {
		if err := s.load(); err != nil {
			return err
		}
	}
	return f()
}

// change calls f inside a transaction and stores the state with it. When
// anything fails nothing has changed, neither in the database nor, since that is
// loaded again, in memory.
func (s *Store) change(ctx context.Context, f func() error) error {
	return s.use(ctx, func() error {
		if s.overtaken != nil {
			return s.overtaken
		}
		if err := s.stillThere(); err != nil {
			return err
		}
		s.stale = true
		if err := s.transaction(f); err != nil {
			if errors.Is(err, ErrOvertaken) {
				s.overtaken = err
			}
			return err
		}
		s.stale = false
		s.limitWAL()
		return nil
	})
}

func (s *Store) transaction(f func() error) (err error) {
	if err := s.conn.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			// An error that ended the transaction already makes this one fail.
			_ = s.conn.exec("ROLLBACK")
		}
	}()
	if err := s.fence(); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	if err := s.state.store(s.conn); err != nil {
		return err
	}
	return s.conn.exec("COMMIT")
}

// InPlace returns nil as long as readers see what is applied. It returns ErrReplaced
// once the file at the path is not the one open, and ErrOvertaken once the writer's
// lock is another's, before the next Apply would: open the store anew then.
func (s *Store) InPlace(ctx context.Context) error {
	return s.use(ctx, func() error {
		if s.overtaken != nil {
			return s.overtaken
		}
		if err := s.stillThere(); err != nil {
			return err
		}
		return s.stillLocked()
	})
}

// stillThere returns ErrReplaced if the file at the path is not the one open:
// what is written to it would never be seen.
func (s *Store) stillThere() error {
	now, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s does not exist", ErrReplaced, s.path)
	case err != nil:
		return err
	case !os.SameFile(now, s.file):
		return fmt.Errorf("%w: %s is another file", ErrReplaced, s.path)
	}
	return nil
}

// Status tells what an operator asks of the database.
func (s *Store) Status(ctx context.Context) (st message.StoreStatus, err error) {
	err = s.use(ctx, func() error {
		st, err = statusOf(s.conn, s.path)
		return err
	})
	return st, err
}

// statusOf reads the status of the database at path.
func statusOf(c *conn, path string) (message.StoreStatus, error) {
	schema, err := schemaOf(c)
	if err != nil {
		return message.StoreStatus{}, err
	}
	state, err := loadStateOf(c, schema)
	if err != nil {
		return message.StoreStatus{}, err
	}
	letters, err := c.one("SELECT count(*) FROM dead_letters")
	if err != nil {
		return message.StoreStatus{}, err
	}
	st := message.StoreStatus{
		Checkpoint:  state.checkpoint,
		AppliedAt:   parseTime(state.appliedAt),
		Messages:    state.messages,
		Senders:     state.senders,
		Outcomes:    state.outcomes,
		DeadLetters: integer(letters[0]),
		Schema:      schema,
	}
	st.Bytes, st.WALBytes = fileSizes(path)
	return st, nil
}

// fileSizes returns the bytes of the database and of its log, 0 for a file that
// is not there.
func fileSizes(path string) (database, wal int64) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // the log lies beside the file, not beside the link
	}
	size := func(path string) int64 {
		if info, err := os.Stat(path); err == nil {
			return info.Size()
		}
		return 0
	}
	return size(path), size(path + walSuffix)
}

// Close ends the store's work. What was applied stays applied; call Sync first
// if it must survive a power cut at once.
func (s *Store) Close() error {
	s.indexer.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.close()
}

func (s *Store) close() error {
	var errs []error
	if s.conn != nil {
		errs = append(errs, s.conn.close())
		s.conn = nil
	}
	if s.wal != nil {
		errs = append(errs, s.wal.Close())
		s.wal = nil
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
		s.lock = nil
	}
	return errors.Join(errs...)
}
