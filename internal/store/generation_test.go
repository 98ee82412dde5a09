package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"sluice/pkg/message"
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

// A generation stores sender counts late, and has its own moment for the search
// index. Neither shows once it is settled, rows that were removed in between included.
func TestGeneration_Settle_completesWhatWasLeftForLater(t *testing.T) {
	for seed := range seeds(6) {
		g, err := NewGeneration(context.Background(), GenerationConfig{Config: tiny(filepath.Join(t.TempDir(), "app.db"))})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := g.Close(); err != nil {
				t.Error(err)
			}
		}()
		made := newGenerator(seed)
		seq := uint64(0)
		for range 20 {
			var entries []any
			for range 1 + made.IntN(60) {
				seq++
				entries = append(entries, record(seq, made.message()))
			}
			if _, err := g.Apply(context.Background(), batchOf(stream1, entries...)); err != nil {
				t.Fatal(err)
			}
			if made.IntN(5) == 0 {
				seq = made.Uint64N(seq)
				if _, err := g.Rewind(context.Background(), message.Checkpoint{StreamID: stream1, Seq: seq}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := g.Settle(context.Background()); err != nil {
			t.Fatal(err)
		}
		checkDatabase(t, g.Store)
		mark, err := g.searchMark(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if mark.enough {
			t.Errorf("seed %d: settled with blocks to make: %+v", seed, mark)
		}
	}
}
