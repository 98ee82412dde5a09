package store

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

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
