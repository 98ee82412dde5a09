package message

import "time"

// TopSenders is how many senders Stats names.
const TopSenders = 10

// Stats counts what a store holds, as of one moment.
type Stats struct {
	Messages int64
	Senders  int64         // distinct values of From
	Top      []SenderCount // at most TopSenders, by count descending, then by sender
	FirstTS  *string       // of the earliest message as its sender wrote it, nil when there is none
	LastTS   *string
	Applied  uint64 // the checkpoint's sequence at that moment
}

// SenderCount is how many messages a sender has in the store.
type SenderCount struct {
	From  string
	Count int64
}

// Outcomes counts what became of the entries applied to a store since it was made.
type Outcomes struct {
	Inserted    int64
	Duplicates  int64
	Conflicts   int64
	DeadLetters int64
}

// StoreStatus is what an operator asks of a database.
type StoreStatus struct {
	Checkpoint  Checkpoint
	AppliedAt   time.Time // AcceptedAt of the entry at the checkpoint, zero when nothing was applied
	Messages    int64     // rows
	Senders     int64
	Outcomes    Outcomes
	DeadLetters int64 // kept aside now
	Bytes       int64 // of the database file
	WALBytes    int64 // of its write-ahead log
	Schema      int   // migrations applied
}

// Timeline is how many messages lie between each of some instants and the next, as
// of one moment.
type Timeline struct {
	Counts  []int64
	Applied uint64 // the checkpoint's sequence at that moment
}
