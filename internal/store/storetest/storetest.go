// Package storetest gives tests of other packages a real database.
package storetest

import (
	"context"
	"path/filepath"
	"testing"

	"sluice/internal/store"
)

// Open returns a store in a new directory, and a reader of it. Both are closed
// when the test ends.
func Open(t testing.TB) (*store.Store, *store.Reader) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.db")
	s, err := store.Open(context.Background(), store.Config{Path: path, CacheBytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	r := store.OpenReader(store.ReaderConfig{Path: path})
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, r
}
