package groupcommit

import (
	"context"
	"testing"
)

// BenchmarkDo is the cost of sharing commits that cost nothing.
func BenchmarkDo(b *testing.B) {
	g := New(Config{Commit: func(int) error { return nil }, MaxWaiting: 1 << 20})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { _ = g.Run(ctx) }()
	b.SetParallelism(128)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := g.Do(ctx); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
