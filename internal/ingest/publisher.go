package ingest

import (
	"context"

	"sluice/pkg/message"
)

// Publisher puts entries into the stream. Several goroutines publish at once.
type Publisher interface {
	// Publish appends the entry (its MsgID, Source, RequestID, Trace and
	// Data) and returns once it is as durable as the process promises. A duplicate waits
	// just as long: the first copy may not be on disk yet. Every error means
	// that nothing was promised and that the sender may try again.
	Publish(ctx context.Context, e message.Entry) (message.Receipt, error)

	// PublishAll is Publish for several entries, in this order. It returns a
	// receipt for each, or an error, then some may be in the stream all the same.
	PublishAll(ctx context.Context, entries []message.Entry) ([]message.Receipt, error)
}
