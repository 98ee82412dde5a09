package store

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// logBuffer is a log that several goroutines write.
type logBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

func TestOpen_standsByForAnotherWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	r := openReader(t, path)
	first := openStore(t, tiny(path))
	if !r.WriterPresent() {
		t.Error("the writer is not present")
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, tiny(path)); !errors.Is(err, context.Canceled) {
		t.Errorf("a standby whose context ended: %v", err)
	}

	var log logBuffer
	config := tiny(path)
	config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	opened := make(chan *Store)
	go func() {
		s, err := Open(t.Context(), config)
		if err != nil {
			t.Error(err)
		}
		opened <- s
	}()
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(log.String(), "standing by"); {
		if time.Now().After(deadline) {
			t.Fatal("the second writer does not say that it stands by")
		}
		select {
		case <-opened:
			t.Fatal("two writers have the database open")
		case <-time.After(time.Millisecond):
		}
	}

	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := <-opened
	apply(t, second, batchOf(stream1, newGenerator(1).entries(1, 10)...))
	if n := strings.Count(log.String(), "standing by"); n != 1 {
		t.Errorf("the standby logged %d times", n)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if r.WriterPresent() {
		t.Error("a writer is present after all were closed")
	}
}

// TestApply_neverByTwoWriters: without the lock, because somebody removed its
// file, the writer that was first finds out inside its transaction, and is
// refused until it opens anew, which makes it a standby.
func TestApply_neverByTwoWriters(t *testing.T) {
	generator := newGenerator(1)
	for name, takeOver := range map[string]func(t *testing.T, path string) *Store{
		"lock file removed": func(t *testing.T, path string) *Store {
			if err := os.Remove(lockPath(path)); err != nil {
				t.Fatal(err)
			}
			return openStore(t, tiny(path))
		},
		"database changed": func(t *testing.T, path string) *Store {
			if err := os.Rename(lockPath(path), lockPath(path)+".away"); err != nil {
				t.Fatal(err)
			}
			second := openStore(t, tiny(path))
			apply(t, second, batchOf(stream1, generator.entries(11, 5)...))
			if err := os.Rename(lockPath(path)+".away", lockPath(path)); err != nil {
				t.Fatal(err)
			}
			return second
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "app.db")
			first := openStore(t, tiny(path))
			apply(t, first, batchOf(stream1, generator.entries(1, 10)...))
			second := takeOver(t, path)
			before, err := second.Checkpoint(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if _, err := first.Apply(t.Context(), batchOf(stream1, generator.entries(11, 3)...)); !errors.Is(err, ErrOvertaken) {
					t.Errorf("the first writer goes on: %v", err)
				}
			}
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			after, err := openReader(t, path).Applied(t.Context())
			if err != nil || after != before.Seq {
				t.Errorf("applied %d %v, want %d", after, err, before.Seq)
			}
		})
	}
}
