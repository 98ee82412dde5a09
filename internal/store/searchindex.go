package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// searchConfig tunes the search index. Tests choose small numbers.
type searchConfig struct {
	blockRows  int           // of a block
	blockBytes int           // of folded text, from which on a block is closed with fewer rows
	quiet      time.Duration // how long no batch must have come before a block is indexed: a burst has the machine to itself
	backlog    int64         // how many rows may wait before that is ignored: searching them one by one would take too long

	stepsAtOnce int // of writing a block, before a batch has its turn
}

// hasty has a block built as soon as there are rows for it and written at once: to
// wait for its turns behind the batches of a bulk load, it would fall so far behind
// that its rows are no longer at hand.
func (c searchConfig) hasty() searchConfig {
	c.backlog, c.stepsAtOnce = 0, math.MaxInt
	return c
}

var defaultSearchConfig = searchConfig{
	blockRows: 1 << 16, blockBytes: 16 << 20, quiet: 50 * time.Millisecond, backlog: 1 << 18, stepsAtOnce: 1,
}

// gramsPerTransaction bounds how long a batch waits for the index.
const gramsPerTransaction = 4000

// indexer builds the search index behind the rows, block by block, in its own
// goroutine and with a connection of its own for reading. It writes through the
// store's connection, in turns with the batches.
type indexer struct {
	store *Store
	wake  chan struct{} // after a batch
	stop  context.CancelFunc
	done  sync.WaitGroup
}

// startIndexer begins to index what s has.
func startIndexer(s *Store) *indexer {
	ctx, cancel := context.WithCancel(context.Background())
	x := &indexer{store: s, wake: make(chan struct{}, 1), stop: cancel}
	x.done.Go(func() { x.run(ctx) })
	return x
}

// close returns once the indexer has ended. A block half written is written
// again after the next start.
func (x *indexer) close() {
	x.stop()
	x.done.Wait()
}

// notice tells that there are new rows.
func (x *indexer) notice() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

func (x *indexer) run(ctx context.Context) {
	for {
		built, err := x.step(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !errors.Is(err, errRewound) {
			x.store.config.Logger.Error("search index does not follow", "error", err)
		}
		if built {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-x.wake:
		}
	}
}

// errRewound is returned for a block whose rows were removed while it was built.
var errRewound = errors.New("rows were removed meanwhile")

// step builds and writes the next block, if there are rows enough for one.
func (x *indexer) step(ctx context.Context) (built bool, err error) {
	mark, err := x.store.searchMark(ctx)
	if err != nil || !mark.enough {
		return false, err
	}
	if err := x.quiet(ctx, mark); err != nil {
		return false, err
	}
	b, err := x.build(mark)
	if err != nil {
		return false, err
	}
	err = x.store.writeBlock(ctx, b, mark)
	return b != nil && err == nil, err
}

// quiet waits until no batch has come for a while, unless too many rows wait.
func (x *indexer) quiet(ctx context.Context, mark searchMark) error {
	quiet := time.NewTimer(x.store.config.search.quiet)
	defer quiet.Stop()
	for mark.nextRID-mark.firstRID < x.store.config.search.backlog {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-quiet.C:
			return nil
		case <-x.wake:
			quiet.Reset(x.store.config.search.quiet)
			var err error
			if mark, err = x.store.searchMark(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// build builds the next block; nil while there are not rows enough.
func (x *indexer) build(mark searchMark) (*searchBlock, error) {
	g := blockRows{limits: x.store.config.search, rows: make([]textRow, 0, x.store.config.search.blockRows)}
	for _, r := range mark.recent {
		if g.full() {
			break
		}
		g.add(r)
	}
	if mark.recent == nil {
		c, err := openForReading(x.store.path, 8<<20)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(g.read(c, mark.firstRID, mark.nextRID), c.close()); err != nil {
			return nil, err
		}
	}
	if !g.full() {
		return nil, nil
	}
	return g.build(mark.firstRID), nil
}

// searchMark is where the search index ends.
type searchMark struct {
	block             int64 // number of the next block
	firstRID, nextRID int64 // rows from firstRID on, before nextRID, are not indexed
	enough            bool  // they may fill a block
	rewinds           int64
	recent            []textRow // from firstRID on, before nextRID; nil when they are not at hand
}

func (s *Store) searchMark(ctx context.Context) (m searchMark, err error) {
	err = s.use(ctx, func() error {
		row, err := s.conn.one(`SELECT coalesce(max(block), 0) + 1, coalesce(max(end_rid), 1) FROM search_blocks`)
		if err != nil {
			return err
		}
		m = searchMark{block: integer(row[0]), firstRID: integer(row[1]), nextRID: s.state.nextRID, rewinds: s.state.rewinds}
		m.recent = s.recent.from(m.firstRID)
		m.enough = m.nextRID-m.firstRID >= int64(s.config.search.blockRows) || s.unindexedBytes >= s.config.search.blockBytes
		return nil
	})
	return m, err
}

// writeBlock stores a block in several small transactions, between which batches
// have their turns, or in one where nobody waits for those. The last one makes it
// seen. There may be none to store.
func (s *Store) writeBlock(ctx context.Context, b *searchBlock, mark searchMark) error {
	var steps []func() error
	if b != nil {
		steps = append(steps, func() error {
			// What is left of a block that was not finished.
			return s.forgetLists(mark.block)
		})
		for grams := range slices.Chunk(b.grams, gramsPerTransaction) {
			steps = append(steps, func() error { return s.writeGrams(mark.block, grams) })
		}
		for column, chunks := range b.numbers {
			steps = append(steps, func() error { return s.writeNumbers(mark.block, column, chunks) })
		}
		steps = append(steps, func() error { return s.writeBlockRow(mark.block, b) })
	}
	for turn := range slices.Chunk(steps, s.config.search.stepsAtOnce) {
		err := s.use(ctx, func() error {
			if s.state.rewinds != mark.rewinds {
				return errRewound
			}
			return s.transaction(func() error {
				for _, step := range turn {
					if err := step(); err != nil {
						return err
					}
				}
				return nil
			})
		})
		if err != nil {
			return fmt.Errorf("search block %d: %w", mark.block, err)
		}
	}
	return s.use(ctx, func() error {
		s.unindexedBytes = 0 // not quite, but what has come meanwhile is little
		if b != nil {
			s.recent.forget(b.endRID)
		}
		s.limitWAL()
		return nil
	})
}

func (s *Store) writeBlockRow(block int64, b *searchBlock) error {
	return s.conn.exec(`INSERT INTO search_blocks (block, first_rid, end_rid, min_us, max_us, unicode, offset_bits, rids, times)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		block, b.firstRID, b.endRID, b.minUS, b.maxUS, foldVersion, int64(b.offsetBits), b.rids, b.times)
}

func (s *Store) writeGrams(block int64, grams []gramPlaces) error {
	for _, g := range grams {
		err := s.conn.exec("INSERT INTO search_grams (id, places) VALUES (?, ?)", block<<gramBits|int64(g.gram), g.places)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) writeNumbers(block int64, column int, chunks []numberChunk) error {
	for _, c := range chunks {
		err := s.conn.exec(`INSERT INTO search_numbers (block, role, low, numbers) VALUES (?, ?, ?, ?)`,
			block, int64(column), c.low, c.list)
		if err != nil {
			return err
		}
	}
	return nil
}

// forgetBlocks removes the blocks that have a row at or behind rid, after rows
// were removed from there on.
func (s *Store) forgetBlocks(rid int64) error {
	row, err := s.conn.one("SELECT min(block) FROM search_blocks WHERE end_rid > ?", rid)
	if err != nil || row[0] == nil {
		return err
	}
	if err := s.conn.exec("DELETE FROM search_blocks WHERE block >= ?", row[0]); err != nil {
		return err
	}
	return s.forgetLists(integer(row[0]))
}

// forgetLists removes what the blocks from block on know of their rows.
func (s *Store) forgetLists(block int64) error {
	if err := s.conn.exec("DELETE FROM search_numbers WHERE block >= ?", block); err != nil {
		return err
	}
	return s.conn.exec("DELETE FROM search_grams WHERE id >= ?", block<<gramBits)
}

// forgetOldBlocks removes the blocks of another version of the case folding.
func (s *Store) forgetOldBlocks() error {
	row, err := s.conn.one("SELECT min(first_rid) FROM search_blocks WHERE unicode <> ?", foldVersion)
	if err != nil || row[0] == nil {
		return err
	}
	return s.transaction(func() error { return s.forgetBlocks(integer(row[0])) })
}
