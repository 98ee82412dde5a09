package ingest

import (
	"context"
	"errors"
	"time"
)

const (
	// largeBytes is the body from which a delivery takes turns with others: it is
	// milliseconds of work, of which much done at once is done late.
	largeBytes = 64 << 10

	// largeAtOnce is how many of them are worked on at a time. One that waits for
	// the disk leaves the processors to the others.
	largeAtOnce = 4

	// longestTurn is how long a large delivery may wait for its turn.
	longestTurn = 3 * time.Second
)

// errTurn is why a large delivery was not worked on.
var errTurn = errors.New("too many large deliveries at once")

// turns holds a token for each large delivery that is worked on.
type turns chan struct{}

// take waits for the turn of a large delivery. The caller calls done unless there is an
// error, which is an UnavailableError.
func (t turns) take(ctx context.Context) (done func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, longestTurn)
	defer cancel()
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-ctx.Done():
		return nil, &UnavailableError{Reason: errTurn.Error(), Err: errTurn}
	}
}
