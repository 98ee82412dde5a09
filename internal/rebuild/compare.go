// Package rebuild replays the stream beside the database: to compare the two, and
// to make the database anew. It refuses to know what either is made of.
package rebuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"

	"sluice/internal/writer"
	"sluice/pkg/message"
)

// Difference is one thing in which database and stream do not agree.
type Difference struct {
	First, Last uint64 // the sequences it is about, mostly one
	What        string // for people
}

// Comparison is what Compare found.
type Comparison struct {
	First, Last uint64 // the sequences compared
	Entries     int64  // that the stream holds there
	Rows        int64  // of the database there, equal to their entries
	Statuses    int64  // entries that tell what became of a message
	Repeats     int64  // entries whose id was known already
	DeadLetters int64  // entries that cannot be decoded, and are kept aside
	Discarded   int64  // entries that cannot be decoded, and are not: somebody discarded them
	Older       int64  // rows that the stream does not hold any more, or never did: not compared
	Differences int64
}

// Reader is the database as Compare reads it.
type Reader interface {
	// Status tells how far the database is.
	Status(ctx context.Context) (message.StoreStatus, error)

	// History calls f for every row that the stream of that identity gave, with
	// a sequence from first to last, in order of sequence.
	History(ctx context.Context, streamID string, first, last uint64, f func(message.Record) error) error

	// HistoryLetters returns the dead letters likewise.
	HistoryLetters(ctx context.Context, streamID string, first, last uint64) ([]message.DeadLetter, error)

	// HistoryStatuses returns the statuses likewise.
	HistoryStatuses(ctx context.Context, streamID string, first, last uint64) ([]message.StatusRecord, error)

	// Message returns the row with an id, or message.ErrNotFound.
	Message(ctx context.Context, id string) (m message.Detail, applied uint64, err error)
}

// Stream is the stream as it is read again.
type Stream interface {
	// Replay calls f for each entry that the stream holds from sequence from to
	// sequence to, in order, each once.
	Replay(ctx context.Context, from, to uint64, f func(message.Entry) error) error

	// First returns the first sequence that the stream holds now: it may have been
	// trimmed since the replay began.
	First(ctx context.Context) (uint64, error)
}

// comparer is one Compare under way.
type comparer struct {
	ctx      context.Context
	reader   Reader
	stream   Stream
	tell     func(Difference)
	streamID string
	rows     <-chan message.Record // in order of sequence, until the end of the range
	row      *message.Record       // the next one, nil at the end
	letters  map[uint64]message.DeadLetter
	statuses map[uint64]message.StatusRecord
	next     uint64 // the sequence that the next entry should have
	result   Comparison
}

// Compare compares the rows and dead letters of the database with the stream's
// entries from first to last, of those that both should have: nothing behind the
// database's checkpoint, nothing that was trimmed. It calls tell for each
// difference, and progress now and then with the sequences compared.
func Compare(ctx context.Context, stream Stream, state message.StreamState, reader Reader, first, last uint64,
	tell func(Difference), progress func(done, total int64)) (Comparison, error) {
	status, err := reader.Status(ctx)
	if err != nil {
		return Comparison{}, err
	}
	c := &comparer{ctx: ctx, reader: reader, stream: stream, streamID: state.ID}
	c.result.First, c.result.Last = max(first, state.First, 1), min(last, status.Checkpoint.Seq)
	c.tell = func(d Difference) {
		c.result.Differences++
		tell(d)
	}
	if cp := status.Checkpoint; cp.StreamID != state.ID {
		c.tell(Difference{0, 0, fmt.Sprintf("the database follows stream %q, this one is %q", cp.StreamID, state.ID)})
		return c.result, nil
	}
	if seq := status.Checkpoint.Seq; seq > state.Last {
		c.tell(Difference{state.Last + 1, seq, "the database is ahead of the stream, which has lost its end"})
		c.result.Last = min(last, state.Last)
	}
	if err := c.run(progress); err != nil {
		return c.result, err
	}
	c.result.Older = status.Messages - c.result.Rows
	if wholly := first <= 1 && c.result.Last == status.Checkpoint.Seq; wholly && c.result.Older < 0 {
		c.tell(Difference{c.result.First, c.result.Last,
			fmt.Sprintf("the database counts %d messages and has at least %d", status.Messages, c.result.Rows)})
	}
	return c.result, nil
}

// errEnough ends the reading of rows.
var errEnough = errors.New("enough")

func (c *comparer) run(progress func(done, total int64)) error {
	letters, err := c.reader.HistoryLetters(c.ctx, c.streamID, c.result.First, c.result.Last)
	if err != nil {
		return err
	}
	c.letters = make(map[uint64]message.DeadLetter, len(letters))
	for _, l := range letters {
		c.letters[l.Seq] = l
	}

	statuses, err := c.reader.HistoryStatuses(c.ctx, c.streamID, c.result.First, c.result.Last)
	if err != nil {
		return err
	}
	c.statuses = make(map[uint64]message.StatusRecord, len(statuses))
	for _, s := range statuses {
		c.statuses[s.Seq] = s
	}

	ctx, cancel := context.WithCancel(c.ctx)
	rows, ended := make(chan message.Record, 1024), make(chan error, 1)
	go func() {
		defer close(rows)
		ended <- c.reader.History(ctx, c.streamID, c.result.First, c.result.Last, func(r message.Record) error {
			select {
			case rows <- r:
				return nil
			case <-ctx.Done():
				return errEnough
			}
		})
	}()
	defer cancel()
	c.rows = rows
	c.advance()

	c.next = c.result.First
	total := int64(c.result.Last) - int64(c.result.First) + 1
	err = c.stream.Replay(c.ctx, c.result.First, c.result.Last, func(e message.Entry) error {
		if c.result.Entries++; c.result.Entries%1024 == 0 {
			progress(int64(e.Seq-c.result.First), total)
		}
		return c.entry(&e)
	})
	if err != nil {
		return err
	}
	if err := c.holeUpTo(c.result.Last + 1); err != nil {
		return err
	}
	progress(total, total)
	if err := <-ended; err != nil {
		return err
	}
	for seq := range c.letters {
		c.tell(Difference{seq, seq, "the database has a dead letter that the stream does not hold"})
	}
	for seq := range c.statuses {
		c.tell(Difference{seq, seq, "the database has a status that the stream does not hold"})
	}
	return nil
}

// advance goes to the next row.
func (c *comparer) advance() {
	c.row = nil
	if r, ok := <-c.rows; ok {
		c.row = &r
	}
}

// holeUpTo deals with what the stream does not hold before seq.
func (c *comparer) holeUpTo(seq uint64) error {
	if c.next < seq {
		if err := c.passTrimmed(seq); err != nil {
			return err
		}
	}
	if c.next < seq {
		c.tell(Difference{c.next, seq - 1, "the stream holds no entries here"})
	}
	for c.row != nil && c.row.Seq < seq {
		c.tell(Difference{c.row.Seq, c.row.Seq, fmt.Sprintf("the database has %q, the stream holds no entry", c.row.ID)})
		c.advance()
	}
	c.next = seq
	return nil
}

// passTrimmed leaves out what was trimmed before seq since the comparison began.
func (c *comparer) passTrimmed(seq uint64) error {
	first, err := c.stream.First(c.ctx)
	if err != nil {
		return err
	}
	first = min(first, seq)
	if first <= c.next {
		return nil
	}
	for c.row != nil && c.row.Seq < first {
		c.advance()
	}
	trimmed := func(seq uint64) bool { return c.next <= seq && seq < first }
	maps.DeleteFunc(c.letters, func(seq uint64, _ message.DeadLetter) bool { return trimmed(seq) })
	maps.DeleteFunc(c.statuses, func(seq uint64, _ message.StatusRecord) bool { return trimmed(seq) })
	if c.next == c.result.First {
		c.result.First = first
	}
	c.next = first
	return nil
}

func (c *comparer) entry(e *message.Entry) error {
	if err := c.holeUpTo(e.Seq); err != nil {
		return err
	}
	c.next = e.Seq + 1
	b := writer.Decode(c.streamID, []message.Entry{*e})
	if len(b.DeadLetters) > 0 {
		c.undecodable(e, b.DeadLetters[0].Reason)
		return nil
	}
	if _, ok := c.letters[e.Seq]; ok {
		delete(c.letters, e.Seq)
		c.tell(Difference{e.Seq, e.Seq, "is a dead letter and can be decoded: retry it"})
		return nil
	}
	if len(b.Statuses) > 0 {
		c.status(&b.Statuses[0])
		return nil
	}
	m := b.Records[0].Message
	if c.row == nil || c.row.Seq != e.Seq {
		return c.repeat(e, &m)
	}
	r := c.row
	c.advance()
	switch {
	case !r.SameContent(&m):
		c.tell(Difference{e.Seq, e.Seq, fmt.Sprintf("the database has %q with another content than the stream's %q", r.ID, m.ID)})
	case !r.CreatedAt.Equal(e.AcceptedAt) || r.Source != e.Source:
		c.tell(Difference{e.Seq, e.Seq, fmt.Sprintf("%q has another time of acceptance or source than in the stream", r.ID)})
	default:
		c.result.Rows++
	}
	return nil
}

// repeat deals with an entry that has no row of its own: its id must have been known.
func (c *comparer) repeat(e *message.Entry, m *message.Message) error {
	first, _, err := c.reader.Message(c.ctx, m.ID)
	switch {
	case errors.Is(err, message.ErrNotFound):
		c.tell(Difference{e.Seq, e.Seq, fmt.Sprintf("the stream has %q, the database does not", m.ID)})
	case err != nil:
		return err
	case first.Seq > e.Seq && first.SameContent(m):
		c.tell(Difference{e.Seq, e.Seq, fmt.Sprintf("%q is in the database by a later entry, %d", m.ID, first.Seq)})
	default:
		c.result.Repeats++
	}
	return nil
}

// status deals with an entry that tells what became of a message. The first of
// equal ones is kept; a repeat of it has no row of its own.
func (c *comparer) status(s *message.StatusRecord) {
	c.result.Statuses++
	if kept, ok := c.statuses[s.Seq]; ok && !kept.SameEvent(&s.Status) {
		c.tell(Difference{s.Seq, s.Seq, "the database has another status than the stream"})
	}
	delete(c.statuses, s.Seq)
}

// undecodable deals with an entry that must be a dead letter.
func (c *comparer) undecodable(e *message.Entry, reason string) {
	letter, ok := c.letters[e.Seq]
	delete(c.letters, e.Seq)
	switch {
	case c.row != nil && c.row.Seq == e.Seq:
		c.tell(Difference{e.Seq, e.Seq, fmt.Sprintf("the database has %q, the stream something that cannot be decoded: %s", c.row.ID, reason)})
		c.advance()
	case !ok:
		c.result.Discarded++
	case !bytes.Equal(letter.Data, e.Data):
		c.tell(Difference{e.Seq, e.Seq, "the dead letter has other bytes than the entry"})
	default:
		c.result.DeadLetters++
	}
}
