package client

import (
	"context"
	"math/rand/v2"
	"time"
)

// Pauses between attempts: the first is up to firstPause, each next one may be twice
// as long, up to longestPause. They are random, so that senders who failed together
// do not come back together.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 10 * time.Second
)

type backoff struct{ most time.Duration }

// next returns the next pause, which is at least as long as least.
func (b *backoff) next(least time.Duration) time.Duration {
	b.most = min(max(2*b.most, firstPause), longestPause)
	return least + b.most/2 + rand.N(b.most/2)
}

// sleep returns nil after the pause, else ctx's error.
func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
