package contract

// A running writer answers requests over NATS, so that whoever reaches the
// stream's server reaches it too: an operator's command, and the api. The
// subject is WriterSubject of its WRITER_NAME and one of the commands below,
// "sluice.writer.writer.dead_letters.retry" say. Request and answer are JSON,
// and every answer holds a WriterError when the request was not done. Where
// nobody answers ("no responders"), no such writer runs.
const (
	// CommandRetryDeadLetters takes a DeadLettersRequest and answers with a
	// DeadLettersAnswer: the entries are decoded again, and those that can be
	// are applied at their own place in the stream.
	CommandRetryDeadLetters = "dead_letters.retry"

	// CommandDiscardDeadLetters takes a DeadLettersRequest and answers with a
	// DeadLettersAnswer: they are removed from the database.
	CommandDiscardDeadLetters = "dead_letters.discard"

	// CommandHandOver takes a HandOverRequest and answers with a HandOverAnswer:
	// the writer closes the database, so that another one can be put in its place.
	CommandHandOver = "hand_over"

	// CommandTakeBack takes a TakeBackRequest and answers with a WriterError: a
	// writer that has handed over opens the database again without waiting longer.
	CommandTakeBack = "take_back"
)

// WriterSubject returns where the writer of that WRITER_NAME takes a command.
func WriterSubject(name, command string) string { return "sluice.writer." + name + "." + command }

// WriterError says why a writer has not done what it was asked for; nothing has
// changed then.
type WriterError struct {
	Error string `json:"error,omitempty"` // empty when it was done
}

// DeadLettersRequest names dead letters.
type DeadLettersRequest struct {
	Sequences []uint64 `json:"sequences,omitempty"`
	All       bool     `json:"all,omitempty"` // every one, instead of Sequences
}

// DeadLettersAnswer tells what became of them.
type DeadLettersAnswer struct {
	WriterError
	Inserted   int `json:"inserted"`   // retry: decoded, and a message now
	Statuses   int `json:"statuses"`   // retry: decoded, and a status of a message now
	Duplicates int `json:"duplicates"` // retry: decoded, and known already
	Conflicts  int `json:"conflicts"`  // retry: decoded, and known with another content, which stays
	Discarded  int `json:"discarded"`  // discard: removed

	Remaining int `json:"remaining"` // retry: asked for, and dead letters still

	// Reasons tell of the first of those that remain, at most MaxReasons.
	Reasons []DeadLetterReason `json:"reasons"`

	// Unknown are the sequences asked for at which there is no dead letter.
	Unknown []uint64 `json:"unknown"`
}

// MaxReasons is how many reasons an answer holds.
const MaxReasons = 100

// DeadLetterReason says why an entry cannot be applied.
type DeadLetterReason struct {
	Sequence uint64 `json:"sequence"`
	Reason   string `json:"reason"`
}

// HandOverRequest asks a writer to close its database for a while.
type HandOverRequest struct {
	Database string `json:"database"` // the path that is to be replaced, for the writer's log
}

// TakeBackRequest ends a hand-over.
type TakeBackRequest struct{}

// HandOverAnswer tells how far the database was when it was closed.
type HandOverAnswer struct {
	WriterError
	AppliedSequence uint64 `json:"applied_sequence"`
}
