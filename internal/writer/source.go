package writer

import (
	"context"
	"time"

	"sluice/pkg/message"
)

// Source is the stream as the writer consumes it. Every method returns an error
// that wraps message.ErrDisconnected when the stream cannot be reached or the
// consumer has gone. Its methods are called one at a time.
type Source interface {
	// Open waits until the stream can be reached, however long that takes, and
	// tells its state. It fails only when ctx ends.
	Open(ctx context.Context) (message.StreamState, error)

	// Entry returns the entry at seq, message.ErrTrimmed or message.ErrNoEntry:
	// what is true now, for the stream may have been trimmed since Open.
	Entry(ctx context.Context, seq uint64) (message.Entry, error)

	// Begin makes the durable consumer deliver from the first entry behind
	// after, whatever it delivered before. Everything up to after counts as
	// acknowledged.
	Begin(ctx context.Context, after uint64) error

	// Fetch waits for entries and returns them in ascending order of sequence:
	// at least one, then whatever comes until there are max of them, maxAge has
	// passed since the first, or ctx has ended. Since Begin no entry comes twice
	// and none is left out: a jump in their sequences is a hole in the stream.
	// When ctx ends before the first its error is returned, and nothing is lost.
	Fetch(ctx context.Context, max int, maxAge time.Duration) ([]message.Entry, error)

	// Ack tells the stream that every entry up to seq is kept for good and may
	// be trimmed one day.
	Ack(ctx context.Context, seq uint64) error

	// Publish gives the stream back an entry that it has lost. A sequence it
	// gets anew; an id inside the dedup window is left out.
	Publish(ctx context.Context, e message.Entry) error
}

// Stream tells how far the stream is. Its methods may be called at any time,
// beside a Source of the same stream.
type Stream interface {
	// Status tells what an operator asks of the stream.
	Status(ctx context.Context) (message.StreamStatus, error)

	// FirstFrom returns the first entry at or behind seq, or message.ErrNoEntry.
	FirstFrom(ctx context.Context, seq uint64) (message.Entry, error)
}

// OpenStore opens the database with its schema applied. While another writer has
// it open it stands by, until ctx ends.
type OpenStore func(ctx context.Context) (Store, error)

// Store is the database as the writer sees it. Its methods may be called by
// several goroutines.
type Store interface {
	// Apply upserts the batch and moves the checkpoint to its last entry, in one
	// transaction: all of it or nothing. Applying a batch twice leaves the store
	// as applying it once. message.ErrRefused means that an entry of the batch
	// can never be applied; any other failure may pass.
	Apply(ctx context.Context, b message.Batch) (message.Applied, error)

	// Sync returns once everything applied so far survives a power cut. After an
	// error only a store opened anew can tell what does.
	Sync(ctx context.Context) error

	// LastAt returns the sequence and Nats-Msg-Id of the last record or dead
	// letter of the current stream at or before seq; Seq 0 when there is none.
	// (A dead letter has no known id: MsgID is empty.)
	LastAt(ctx context.Context, seq uint64) (message.Checkpoint, error)

	// After calls f for every record of the current stream behind seq, in
	// ascending order of sequence, until f fails.
	After(ctx context.Context, seq uint64, f func(message.Record) error) error

	// StatusesAfter does the same for statuses.
	StatusesAfter(ctx context.Context, seq uint64, f func(message.StatusRecord) error) error

	// Rewind moves the checkpoint to to, in one transaction. In the same stream
	// the records, statuses and dead letters behind to.Seq are removed, and counted; in
	// another stream all rows stay, as records of a stream that is gone.
	Rewind(ctx context.Context, to message.Checkpoint) (removed int, err error)

	// RetryDeadLetters has decode read dead letters again: those at the
	// sequences, or all when there are none given. What it can read now is
	// applied as if it had been read at once.
	RetryDeadLetters(ctx context.Context, seqs []uint64,
		decode func(message.DeadLetter) message.Batch) (message.Retried, error)

	// DiscardDeadLetters removes dead letters: those at the sequences, or all
	// when there are none given. unknown are those that were not there.
	DiscardDeadLetters(ctx context.Context, seqs []uint64) (discarded int, unknown []uint64, err error)

	// Status tells what an operator asks of the database, the zero Checkpoint
	// when nothing was ever applied.
	Status(ctx context.Context) (message.StoreStatus, error)

	// InPlace returns nil as long as readers see what is applied: an error once the
	// database was removed, or another one or another writer has taken its place. It
	// costs little.
	InPlace(ctx context.Context) error

	// Close ends the store's work; another writer may open it then.
	Close() error
}
