package config

import (
	"context"
	"errors"
	"os"
	"time"
)

// Watch is what may change in a configuration while a program runs.
type Watch[T any] struct {
	Load  func() (T, error) // reads it again
	Same  func(a, b T) bool
	Apply func(T) error

	// Every is how often Load is called; 0 = only when asked. What it finds counts
	// once it finds the same twice: a file may be half written, or one of two.
	Every time.Duration

	// Asked has a signal when somebody wants it read at once.
	Asked <-chan os.Signal

	// Warn is told why what was found is not applied, once for each reason.
	Warn func(error)
}

// Run watches until ctx ends, beginning with what is applied already.
func (w *Watch[T]) Run(ctx context.Context, applied T) error {
	var ticks <-chan time.Time
	if w.Every > 0 {
		ticker := time.NewTicker(w.Every)
		defer ticker.Stop()
		ticks = ticker.C
	}
	seen, warned := applied, ""
	for {
		settled := false
		select {
		case <-ctx.Done():
			return nil
		case <-w.Asked:
			settled = true
		case <-ticks:
		}
		found, err := w.Load()
		if err == nil {
			settled = settled || w.Same(found, seen)
			if seen = found; !settled {
				continue
			}
			if w.Same(found, applied) {
				warned = ""
				continue
			}
			err = w.Apply(found)
		}
		switch {
		case err == nil:
			applied, warned = found, ""
		case err.Error() != warned && !errors.Is(err, context.Canceled):
			warned = err.Error()
			w.Warn(err)
		}
	}
}
