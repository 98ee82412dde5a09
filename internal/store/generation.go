package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sluice/pkg/message"
)

// ErrRebuilding is returned by NewGeneration while another one is being made.
var ErrRebuilding = errors.New("another rebuild is under way")

// ErrLowDisk is returned by a Generation before it takes the room that the stream
// and the database in service need.
var ErrLowDisk = errors.New("too little free disk for a second database beside the one in service")

// Generation is a database made beside the one in service, to take its place.
// Until Swap nothing of it is seen, and a process that dies leaves nothing but a
// file that the next one removes.
//
//	NewGeneration ─▶ Apply … ─▶ Settle ─▶ Apply … ─▶ TakeOver ─▶ Apply … ─▶ Swap ─▶ Release ─▶ Close
//
// Up to Settle it writes without a single sync: a power cut would leave garbage,
// which nobody would ever look at.
type Generation struct {
	*Store
	pointer string   // the path that readers and the writer know
	making  *os.File // the lock that lets one generation be made at a time
	disk    *os.File // the generation's file, for syncing: closed after the store, see DESIGN.md
	service *os.File // the writer's lock, since TakeOver
	swapped bool

	senders senderCounts // until Settle: of batches that are applied, not stored yet
}

// maxLaterSenders bounds the sender counts that wait to be stored: some 100 MB.
const maxLaterSenders = 1 << 20

// bulkCacheBytes is a generation's default page cache: it holds what batches change
// again and again, and nobody else reads. With a writer's cache of 256 MiB a rebuild
// is no quicker.
const bulkCacheBytes = 64 << 20

// GenerationConfig is what NewGeneration needs beside a store's Config, whose
// Path is that of the database in service and whose CacheBytes are 64 MiB by default.
type GenerationConfig struct {
	Config
	From     string // a snapshot to begin with, "" for an empty database
	Progress func(done, total int64)
}

// NewGeneration begins a database beside the one at config.Path, which need not
// exist. It removes what an interrupted one has left behind.
func NewGeneration(ctx context.Context, config GenerationConfig) (*Generation, error) {
	pointer, err := filepath.Abs(config.Path)
	if err != nil {
		return nil, err
	}
	if err := makeDir(filepath.Dir(pointer)); err != nil {
		return nil, err
	}
	g := &Generation{pointer: pointer, senders: make(senderCounts)}
	if g.making, err = lockMakingSoon(ctx, pointer); err != nil {
		return nil, err
	}
	if err := g.begin(ctx, config); err != nil {
		return nil, errors.Join(fmt.Errorf("new generation of %s: %w", pointer, err), g.Close())
	}
	return g, nil
}

func (g *Generation) begin(ctx context.Context, config GenerationConfig) (err error) {
	if err := sweep(g.pointer); err != nil {
		return err
	}
	base, err := generationBase(g.pointer)
	if err != nil {
		return err
	}
	path := base + time.Now().UTC().Format(generationLayout)
	if config.From != "" {
		if _, err := takeSnapshot(ctx, config.From, path, config.Progress); err != nil {
			return errors.Join(fmt.Errorf("copy %s: %w", config.From, err), removeDatabase(path))
		}
	}
	config.Path, config.bulk = path, true
	config.CacheBytes = cmp.Or(config.CacheBytes, bulkCacheBytes)
	config.Config = config.withDefaults()
	config.search = config.search.hasty() // what is indexed meanwhile need not be waited for in Settle
	s := &Store{config: config.Config, path: path, ranks: rankIndex{sizes: config.sizes}}
	g.Store = s
	if err := s.open(ctx); err != nil {
		if config.From != "" && errors.Is(err, ErrNeedsRebuild) {
			return fmt.Errorf("%s is too old to begin with: put it in place of the database, and rebuild", config.From)
		}
		return err
	}
	g.disk, err = os.Open(path)
	return err
}

// Path returns where the generation is while it is made.
func (g *Generation) Path() string { return g.path }

// Apply is a Store's, as long as there is room on the disk. Until Settle a sender's
// counter is stored now and then only: most senders come again, batch for batch.
func (g *Generation) Apply(ctx context.Context, b message.Batch) (message.Applied, error) {
	if err := room(filepath.Dir(g.path)); err != nil {
		return message.Applied{}, err
	}
	a, err := g.apply(ctx, b, g.senders != nil)
	if err != nil || g.senders == nil {
		return a.applied, err
	}
	due := false
	for sender, rows := range a.senders {
		g.senders[sender] += rows
		due = due || g.senders[sender] > g.ranks.sizes.plainRows && !g.ranks.indexed(run{bySender, sender})
	}
	if due || len(g.senders) > maxLaterSenders {
		err = g.settleSenders(ctx)
	}
	return a.applied, err
}

// settleSenders stores the counters that Apply has left for later.
func (g *Generation) settleSenders(ctx context.Context) error {
	if len(g.senders) == 0 {
		return nil
	}
	err := g.change(ctx, func() error {
		if err := g.storeSenders(g.senders); err != nil {
			return err
		}
		return g.ranks.settle(g.conn)
	})
	if err == nil {
		clear(g.senders)
	}
	return err
}

// Rewind is a Store's.
func (g *Generation) Rewind(ctx context.Context, to message.Checkpoint) (removed int, err error) {
	if err := g.settleSenders(ctx); err != nil {
		return 0, err
	}
	return g.Store.Rewind(ctx, to)
}

// Has tells whether there is a row with that id.
func (g *Generation) Has(ctx context.Context, id string) (has bool, err error) {
	err = g.use(ctx, func() error {
		for _, seg := range g.segments.perhaps([]uint64{g.segments.hash(id)})[0] {
			row, err := g.conn.one("SELECT 1 FROM messages INDEXED BY messages_id WHERE seg = ? AND message_id = ?", seg, id)
			if err != nil {
				return err
			}
			has = has || row != nil
		}
		return nil
	})
	return has, err
}

// Settle completes the counters and the search index and returns once the generation
// is on disk. From then on it writes as any store does.
func (g *Generation) Settle(ctx context.Context) error {
	if err := g.settleSenders(ctx); err != nil {
		return err
	}
	g.senders = nil
	// The indexer goes on by itself, but after an error it waits to be told.
	retry := time.NewTicker(time.Second)
	defer retry.Stop()
	for {
		mark, err := g.searchMark(ctx)
		if err != nil {
			return err
		}
		if !mark.enough {
			break
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-retry.C:
			g.indexer.notice()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return g.use(ctx, func() error {
		if err := g.conn.exec("PRAGMA synchronous = NORMAL"); err != nil {
			return err
		}
		return g.toDisk()
	})
}

// toDisk takes the log into the file and syncs that.
func (g *Generation) toDisk() error {
	busy, _, err := g.conn.checkpointWAL("TRUNCATE")
	switch {
	case err != nil:
		return err
	case busy:
		return fmt.Errorf("%w: %s", ErrLocked, g.path)
	}
	return g.disk.Sync()
}

// TidyService shortens the work of TakeOver, while the writer goes on.
func (g *Generation) TidyService() { tidyLog(g.pointer, "PASSIVE") }

// TakeOver takes the lock of the database in service, for which it waits until
// ctx ends: its writer must have let go of it. What that database holds does not
// change any more then.
func (g *Generation) TakeOver(ctx context.Context) (err error) {
	if g.service, err = lock(ctx, g.pointer, g.config.Logger); err == nil {
		tidyLog(g.pointer, "TRUNCATE")
	}
	return err
}

// Swap puts the generation in the place of the database in service, and removes
// that one. Before an error it is either in its place for good or not at all, and
// swapped tells which.
func (g *Generation) Swap(ctx context.Context) (swapped bool, err error) {
	if g.service == nil {
		panic("store: Swap without TakeOver")
	}
	g.indexer.close()
	if err := g.use(ctx, g.toDisk); err != nil {
		return false, err
	}
	if err := g.closeStore(); err != nil {
		return false, err
	}
	if err := g.disk.Sync(); err != nil {
		return false, err
	}
	old, err := replacedBy(g.pointer, g.path)
	if err != nil {
		return false, err
	}
	g.swapped = true
	return true, errors.Join(syncDir(filepath.Dir(g.pointer)), old.remove(g.pointer))
}

// Release gives the database in service back to its writer.
func (g *Generation) Release() error {
	if g.service == nil {
		return nil
	}
	err := g.service.Close()
	g.service = nil
	return err
}

// Close ends the making. A generation that was not swapped in is removed.
func (g *Generation) Close() error {
	var errs []error
	if g.Store != nil {
		if g.indexer != nil {
			g.indexer.close()
		}
		errs = append(errs, g.closeStore())
	}
	if g.disk != nil {
		errs = append(errs, g.disk.Close())
	}
	if g.Store != nil && !g.swapped {
		errs = append(errs, removeDatabase(g.path))
	}
	return errors.Join(append(errs, g.Release(), g.making.Close())...)
}

func (g *Generation) closeStore() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.close()
}
