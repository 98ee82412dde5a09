package query

import (
	"context"
	"time"

	"sluice/pkg/message"
)

// Reader is the database as the query side sees it. Every answer is of one
// moment and names that moment's checkpoint. While there is no database to read
// every method returns an error that wraps message.ErrUnavailable and says why.
type Reader interface {
	// Messages returns one page and the exact number of all matches.
	Messages(ctx context.Context, r message.PageRequest) (message.Page, error)

	// Stretch returns some of the matches without counting them all. What it
	// costs depends on the limit, not on how many rows there are.
	Stretch(ctx context.Context, r message.StretchRequest) (message.Stretch, error)

	// Message returns one message and the checkpoint's sequence, or
	// message.ErrNotFound.
	Message(ctx context.Context, id string) (m message.Detail, applied uint64, err error)

	// Arrivals returns what came behind a sequence.
	Arrivals(ctx context.Context, r message.ArrivalsRequest) (message.Arrivals, error)

	// Timeline counts the messages of a sender, of all when from is empty, between
	// each of the instants and the next.
	Timeline(ctx context.Context, from string, instants []time.Time) (message.Timeline, error)

	// DeadLetters calls f for every dead letter, oldest first, until f fails.
	DeadLetters(ctx context.Context, f func(message.DeadLetter) error) error

	// Stats counts what the database holds.
	Stats(ctx context.Context) (message.Stats, error)

	// Status tells what an operator asks of the database.
	Status(ctx context.Context) (message.StoreStatus, error)

	// Applied returns the checkpoint's sequence. It is cheap: waiting for one's
	// own writes asks it again and again.
	Applied(ctx context.Context) (uint64, error)

	// WriterPresent reports whether a running writer has the database open.
	WriterPresent() bool
}
