package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"sluice/pkg/message"
)

// ReaderConfig is what OpenReader needs.
type ReaderConfig struct {
	Path        string // of the database file; a symbolic link to it is followed
	Connections int    // most queries at a time, others wait; default 8
	CacheBytes  int64  // page cache of each connection, default 8 MiB; mapped pages are not counted

	// History lets it read databases of older schemas: Status, Streams, History and
	// its like work with them, as far as historySchema says, and nothing else does.
	History bool

	walkRows int64 // how many rows are rather looked at one by one than searched for, default 2000
	deepSkip int   // how many hits are rather skipped one by one than by their times, default 1000

	readBytes int // of the search index's lists that are rather read than a few rows looked at, default 64 KiB

	stretchRows int64 // how many rows a stretch looks at, default 100000
}

func (c ReaderConfig) withDefaults() ReaderConfig {
	if c.Connections <= 0 {
		c.Connections = 8
	}
	if c.CacheBytes <= 0 {
		c.CacheBytes = 8 << 20
	}
	if c.walkRows <= 0 {
		c.walkRows = 2000
	}
	if c.deepSkip <= 0 {
		c.deepSkip = 1000
	}
	if c.readBytes <= 0 {
		c.readBytes = 64 << 10
	}
	if c.stretchRows <= 0 {
		c.stretchRows = 100000
	}
	return c
}

// Reader answers queries from the database while a writer may be changing it.
// The database need not exist yet, may vanish, and may be replaced by another
// file: each query looks at the path anew. It never makes or changes a file of a
// database that is not there. Its methods may be called by several goroutines.
type Reader struct {
	config ReaderConfig
	path   string
	slots  chan struct{} // one for each connection in use

	mu     sync.Mutex
	file   *openFile
	idle   []*conn // to that file
	closed bool
}

// openFile is the file that was at the path when last looked at.
type openFile struct {
	info  os.FileInfo
	tail  textTail
	found searchCache
	ids   readFilters
	grams gramFilters
}

// OpenReader never fails: while there is nothing to read, queries say so.
func OpenReader(config ReaderConfig) *Reader {
	config = config.withDefaults()
	path, err := filepath.Abs(config.Path)
	if err != nil {
		path = config.Path // there is no current directory: let queries say so
	}
	return &Reader{config: config, path: path, slots: make(chan struct{}, config.Connections)}
}

// Close closes the connections, those in use once their query ends. Queries from
// then on fail.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return r.dropIdle()
}

func (r *Reader) dropIdle() error {
	var errs []error
	for _, c := range r.idle {
		errs = append(errs, c.close())
	}
	r.idle = nil
	return errors.Join(errs...)
}

// WriterPresent reports whether a running writer has the database open.
func (r *Reader) WriterPresent() bool { return writerPresent(r.path) }

// read calls f inside one read transaction. Where the database is to blame the
// error wraps message.ErrUnavailable.
func (r *Reader) read(ctx context.Context, f func(*snapshot) error) error {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	c, of, err := r.take()
	if err == nil {
		err = c.snapshot(ctx, r.config, of, f)
		r.giveBack(c, of, err)
	}
	if fromDatabase(err) && !errors.Is(err, message.ErrUnavailable) {
		return fmt.Errorf("%w: %w", message.ErrUnavailable, err)
	}
	return err
}

// replacedTries bounds how often take begins anew because the file was replaced
// meanwhile. Each time is another swap.
const replacedTries = 10

// errReplacing is returned by takeNow when the file was replaced meanwhile.
var errReplacing = errors.New("it is being replaced")

// take returns a connection to the file that is at the path now.
func (r *Reader) take() (c *conn, file *openFile, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range replacedTries {
		if c, file, err = r.takeNow(); !errors.Is(err, errReplacing) {
			break
		}
	}
	return c, file, err
}

func (r *Reader) takeNow() (*conn, *openFile, error) {
	if r.closed {
		return nil, nil, fmt.Errorf("%w: %w", message.ErrUnavailable, errClosed)
	}
	file, err := r.look()
	if err != nil {
		return nil, nil, err
	}
	if n := len(r.idle); n > 0 {
		c := r.idle[n-1]
		r.idle = r.idle[:n-1]
		return c, file, nil
	}
	c, failed := openForReading(r.path, r.config.CacheBytes)
	// An error may be of half of the one file and half of the other.
	if now, err := r.look(); err != nil || now != file {
		if failed == nil {
			c.close()
		}
		return nil, nil, fmt.Errorf("%w: %s: %w", message.ErrUnavailable, r.path, errReplacing)
	}
	return c, file, failed
}

// look returns the file at the path, after closing what is open of another. A
// file that is open keeps its inode, so a new one at the path cannot pass for it.
func (r *Reader) look() (*openFile, error) {
	info, err := os.Stat(r.path)
	if err == nil && r.file != nil && os.SameFile(info, r.file.info) {
		return r.file, nil
	}
	_ = r.dropIdle() // nothing to be done about an old file
	r.file = nil
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: the writer has not made %s yet", message.ErrUnavailable, r.path)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", message.ErrUnavailable, err)
	}
	r.file = &openFile{info: info, found: searchCache{limit: searchCacheBytes}}
	return r.file, nil
}

// giveBack keeps c for the next query, unless it failed or is of an old file.
func (r *Reader) giveBack(c *conn, file *openFile, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if fromDatabase(err) {
		_ = r.dropIdle()
		r.file = nil
	}
	if r.closed || r.file != file {
		_ = c.close()
		return
	}
	r.idle = append(r.idle, c)
}

// openForReading opens a database that this program knows how to read.
func openForReading(path string, cacheBytes int64) (*conn, error) {
	c, err := openConn(path, "ro")
	if err != nil {
		return nil, err
	}
	err = c.script(fmt.Sprintf(`
		PRAGMA busy_timeout = %d;
		PRAGMA query_only = ON;
		PRAGMA temp_store = MEMORY;
		PRAGMA mmap_size = %d;
		PRAGMA cache_size = -%d`, busyTimeout.Milliseconds(), mapBytes, cacheBytes>>10))
	if err == nil {
		_, err = schemaOf(c)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// mapBytes is how much of the database a reader maps into its memory, at most;
// SQLite has a limit of 2 GiB.
const mapBytes = 2 << 30

// snapshot is the database at one moment.
type snapshot struct {
	*conn
	*openFile
	ctx    context.Context
	config ReaderConfig
	state  state
}

// snapshot calls f inside a read transaction.
func (c *conn) snapshot(ctx context.Context, config ReaderConfig, of *openFile, f func(*snapshot) error) (err error) {
	if err := c.exec("BEGIN"); err != nil {
		return err
	}
	defer func() {
		if end := c.exec("ROLLBACK"); err == nil {
			err = end
		}
	}()
	version, err := c.one("PRAGMA user_version")
	if err != nil {
		return err
	}
	switch n, known := integer(version[0]), int64(len(migrations)); {
	case n == known, config.History && n >= historySchema && n < known:
	case n > known:
		return fmt.Errorf("%w: its schema has %d migrations, this program reads %d: a newer one has made it",
			message.ErrUnavailable, n, known)
	default:
		return fmt.Errorf("%w: its schema has %d migrations, this program reads %d: the writer of this release migrates it, or says why not, when it starts",
			message.ErrUnavailable, n, known)
	}
	s := &snapshot{conn: c, openFile: of, ctx: ctx, config: config}
	if s.state, err = loadState(c); err != nil {
		return err
	}
	return f(s)
}
