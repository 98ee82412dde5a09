package stream

// Errors of a publish. All of them mean that nothing was promised and that the
// sender may try again: at worst the entry is in the stream already, and the
// repeat is a duplicate.
var (
	// ErrAway is returned at once while the stream cannot be reached: no
	// connection, or nobody who answers for the stream.
	ErrAway = sentinel("the stream is away")

	// ErrFull is returned when the stream is at its limit. A retry succeeds
	// once entries have been trimmed or the limit was raised.
	ErrFull = sentinel("the stream is full")

	// ErrRefused is returned at once while PublisherConfig.Refuse says that the stream
	// must not take publishes; the text says why.
	ErrRefused = sentinel("the stream takes no publishes")

	// ErrTimeout is returned when no answer came in time, and at once while
	// nobody was answered since.
	ErrTimeout = sentinel("the stream did not answer in time")

	// ErrOverloaded is returned at once when as many publishes wait as may
	// wait, here or in the server.
	ErrOverloaded = sentinel("too many publishes wait")

	// ErrStopping is returned after Close.
	ErrStopping = sentinel("the publisher is stopping")

	// ErrNotDurable is returned when the entry is in the stream but could not
	// be made durable. After it no publish succeeds any more: see groupcommit.
	ErrNotDurable = sentinel("the stream could not be made durable")
)

// Error is an error of a publish whose words are fit for a sender's eyes: they
// name no files and no addresses.
type Error struct{ reason string }

func sentinel(reason string) error { return &Error{reason} }

func (e *Error) Error() string { return e.reason }

// Reason is what a sender may read.
func (e *Error) Reason() string { return e.reason }
