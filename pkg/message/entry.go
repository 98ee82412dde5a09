package message

import "time"

// PlainSource is the name of the source that sends nothing but messages, in our
// own words.
const PlainSource = "plain"

// Entry is a message's bytes at a stream sequence, as the stream gives it out.
type Entry struct {
	Seq        uint64    // the stream's number, from 1
	AcceptedAt time.Time // the stream's time of acceptance, UTC
	MsgID      string    // the Nats-Msg-Id header: of the message, the status or whatever it is
	Source     string    // the sender dialect it came by: "plain", "whatsapp", …
	RequestID  string    // of the delivery that brought it, for the logs
	Trace      string    // that delivery's traceparent header, for the logs too; empty for none
	Data       []byte    // what Marshal made; owned by the receiver
}

// Receipt is what a publish returns once the message is as durable as the
// process promises.
type Receipt struct {
	Seq       uint64 // the entry's sequence; for a duplicate the first one's
	Duplicate bool   // the stream already held this id inside its dedup window
}

// StreamState is what a stream says of itself.
type StreamState struct {
	ID    string // its identity: name and creation time, as in Checkpoint
	First uint64 // sequence of the first entry it holds; Last+1 when it holds none
	Last  uint64 // sequence of the last entry it ever took, 0 when none
}

// Checkpoint is the highest sequence contained in a store, with what is needed
// to prove that it still names the same entry of the same stream: sequences are
// reused when a stream loses its tail or is made anew. The zero value means
// "nothing applied yet".
type Checkpoint struct {
	StreamID string // the stream's identity: its name and creation time
	Seq      uint64 // every entry up to here is in the store
	MsgID    string // Entry.MsgID of the entry at Seq
}

// Record is a valid message with its place in the stream.
type Record struct {
	Message
	Seq       uint64
	CreatedAt time.Time // Entry.AcceptedAt
	Source    string
	RequestID string // not stored
	MsgID     string // Entry.MsgID; not stored
}

// StatusRecord is a valid status with its place in the stream.
type StatusRecord struct {
	Status
	Seq       uint64
	CreatedAt time.Time // Entry.AcceptedAt
	Source    string
}

// Detail is a record with what its source told of it: statuses by their TS, then
// as they came.
type Detail struct {
	Record
	Statuses []StatusRecord
}

// DeadLetter is an entry that can never be applied, kept aside.
type DeadLetter struct {
	Seq       uint64
	CreatedAt time.Time // Entry.AcceptedAt
	Source    string
	Reason    string // why it cannot be applied
	Data      []byte // the entry's bytes as they are on the stream
}

// Batch is a decoded range of entries: one store transaction. Records, Statuses
// and DeadLetters are each in ascending order of sequence.
type Batch struct {
	Records     []Record
	Statuses    []StatusRecord
	DeadLetters []DeadLetter
	Checkpoint  Checkpoint // of the batch's last entry
}

// Applied tells what applying a batch did, entry by entry in sum.
type Applied struct {
	Inserted    int
	Duplicates  int        // repeats with the content of the first
	Conflicts   []Conflict // repeats with another content: the first stays
	Statuses    int        // that were new, or new in this stream
	DeadLetters int
}

// Conflict is a repeat of a known id with other content. The first stays.
type Conflict struct {
	ID       string
	Seq      uint64 // of the repeat
	FirstSeq uint64 // of the row that stays
}

// Retried tells what became of dead letters that were decoded again.
type Retried struct {
	Applied                // of those that could be decoded, DeadLetters aside
	Remaining []DeadLetter // those that could not, with the reason of now
	Unknown   []uint64     // sequences asked for at which there is none
}
