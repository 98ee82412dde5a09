package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// A writer that opens the database sweeps away old generations under the lock of
// those who make one. A rebuild that begins just then is no second one.
func TestNewGeneration_waitsForAWriterThatSweeps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	sweeping, err := lockMaking(path)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(100*time.Millisecond, func() { sweeping.Close() })
	g, err := NewGeneration(context.Background(), GenerationConfig{Config: tiny(path)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewGeneration(context.Background(), GenerationConfig{Config: tiny(path)}); !errors.Is(err, ErrRebuilding) {
		t.Errorf("a second one at a time: %v", err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}

// A rebuild ends with fewer unindexed rows than let the indexer work at once, so
// that it waits for a quiet moment, which Settle must leave it.
func TestGeneration_Settle_leavesTheIndexerAQuietMoment(t *testing.T) {
	config := tiny(filepath.Join(t.TempDir(), "app.db"))
	config.search = searchConfig{blockRows: 40, blockBytes: 1 << 20, quiet: 50 * time.Millisecond, backlog: 10_000}
	g, err := NewGeneration(context.Background(), GenerationConfig{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}()
	made := newGenerator(1)
	var entries []any
	for seq := range uint64(100) {
		entries = append(entries, record(seq+1, made.message()))
	}
	apply(t, g.Store, batchOf(stream1, entries...))

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := g.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	mark, err := g.searchMark(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if mark.enough {
		t.Errorf("settled with blocks to make: %+v", mark)
	}
}
