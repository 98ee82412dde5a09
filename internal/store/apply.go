package store

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"sluice/pkg/message"
)

// Apply inserts the records with new ids and moves the checkpoint to the batch's
// last entry, in one transaction: all of it or nothing. The first write of an id
// wins; a repeat with other content is reported as a conflict. Entries of the
// current stream up to the checkpoint are passed over, so applying a batch twice
// leaves the store as applying it once.
//
// ErrDiskFull means that a retry cannot succeed until an operator frees space,
// ErrReplaced that the store must be opened anew, ErrOtherStream that Rewind
// must come first.
func (s *Store) Apply(ctx context.Context, b message.Batch) (message.Applied, error) {
	a, err := s.apply(ctx, b, false)
	return a.applied, err
}

// apply is Apply that leaves the batch's sender counts to the caller, if that is
// to store them later.
func (s *Store) apply(ctx context.Context, b message.Batch, sendersLater bool) (a application, err error) {
	err = s.change(ctx, func() error {
		cp := s.state.checkpoint
		switch {
		case s.state.stream == 0:
			if err := s.state.begin(s.conn, b.Checkpoint.StreamID); err != nil {
				return err
			}
		case cp.StreamID != b.Checkpoint.StreamID:
			return fmt.Errorf("%w: %q, not %q", ErrOtherStream, b.Checkpoint.StreamID, cp.StreamID)
		case b.Checkpoint.Seq <= cp.Seq:
			return nil
		}
		a = application{
			Store: s, ctx: ctx, sendersLater: sendersLater,
			fresh: make(map[string]*message.Record, len(b.Records)), senders: make(senderCounts),
		}
		return a.run(b, cp.Seq)
	})
	if err != nil {
		return application{}, fmt.Errorf("apply batch up to %d: %w", b.Checkpoint.Seq, err)
	}
	s.indexer.notice()
	return a, nil
}

// application is one Apply under way.
type application struct {
	*Store
	ctx     context.Context
	applied message.Applied
	fresh   map[string]*message.Record // records of this batch that become rows, by id
	senders senderCounts
	insert  inserter

	sendersLater bool
	late         []int64 // of dead letters that are applied late: streams.id of every life of their stream
}

// run applies what lies behind seq.
func (a *application) run(b message.Batch, seq uint64) error {
	first := sort.Search(len(b.Records), func(i int) bool { return b.Records[i].Seq > seq })
	if err := a.records(b.Records[first:]); err != nil {
		return err
	}
	first = sort.Search(len(b.Statuses), func(i int) bool { return b.Statuses[i].Seq > seq })
	if err := a.statuses(b.Statuses[first:]); err != nil {
		return err
	}
	first = sort.Search(len(b.DeadLetters), func(i int) bool { return b.DeadLetters[i].Seq > seq })
	if err := a.deadLetters(b.DeadLetters[first:]); err != nil {
		return err
	}
	if err := a.settle(); err != nil {
		return err
	}
	a.state.checkpoint = b.Checkpoint
	a.state.appliedAt = acceptedAt(b)
	return nil
}

// acceptedAt is the time of acceptance of the batch's last entry.
func acceptedAt(b message.Batch) string {
	if n := len(b.Records); n > 0 && b.Records[n-1].Seq == b.Checkpoint.Seq {
		return formatTime(b.Records[n-1].CreatedAt)
	}
	if n := len(b.Statuses); n > 0 && b.Statuses[n-1].Seq == b.Checkpoint.Seq {
		return formatTime(b.Statuses[n-1].CreatedAt)
	}
	if n := len(b.DeadLetters); n > 0 && b.DeadLetters[n-1].Seq == b.Checkpoint.Seq {
		return formatTime(b.DeadLetters[n-1].CreatedAt)
	}
	return ""
}

func (a *application) records(records []message.Record) error {
	hashes := make([]uint64, len(records))
	for i := range records {
		hashes[i] = a.segments.hash(records[i].ID)
	}
	perhaps := a.segments.perhaps(hashes)

	for i := range records {
		r := &records[i]
		if first, ok := a.fresh[r.ID]; ok {
			a.repeat(r, first.SameContent(&r.Message), first.Seq)
			continue
		}
		known, err := a.lookUp(r, perhaps[i])
		if err != nil {
			return err
		}
		if !known {
			if err := a.add(r, hashes[i]); err != nil {
				return err
			}
		}
		if i%1024 == 0 && a.ctx.Err() != nil {
			return a.ctx.Err()
		}
	}
	return a.insert.flush(a.conn)
}

// lookUp looks for r's id in the rows of segs and deals with the repeat if it is there.
func (a *application) lookUp(r *message.Record, segs []int64) (known bool, err error) {
	for _, seg := range segs {
		row, err := a.conn.one(`SELECT rid, stream, `+recordColumns+`
			FROM messages r INDEXED BY messages_id WHERE seg = ? AND message_id = ?`, seg, r.ID)
		if err != nil {
			return false, err
		}
		if row == nil {
			continue
		}
		rid, stream, first := integer(row[0]), integer(row[1]), recordOf(row[2:])
		same := first.SameContent(&r.Message)
		a.repeat(r, same, first.Seq)
		if same && a.takesPlace(stream, r.Seq, first.Seq) {
			return true, a.restamp(r, rid)
		}
		return true, nil
	}
	return false, nil
}

// takesPlace reports whether a repeat at seq shows the row's true place, rather
// than the one it has. That of the current stream does; and of a stream's own
// entries the first, should that have been a dead letter until now.
func (a *application) takesPlace(stream int64, seq, firstSeq uint64) bool {
	if a.late != nil {
		return slices.Contains(a.late, stream) && seq < firstSeq
	}
	return stream < a.state.life
}

// repeat counts a record whose id was known.
func (a *application) repeat(r *message.Record, same bool, firstSeq uint64) {
	if same {
		a.applied.Duplicates++
	} else {
		a.applied.Conflicts = append(a.applied.Conflicts, message.Conflict{ID: r.ID, Seq: r.Seq, FirstSeq: firstSeq})
	}
}

// restamp gives a row of a stream that is gone its place in the current one.
func (a *application) restamp(r *message.Record, rid int64) error {
	err := a.conn.exec("UPDATE messages SET seq = ?, created_at = ?, source = ?, stream = ? WHERE rid = ?",
		signed(r.Seq), formatTime(r.CreatedAt), r.Source, a.state.stream, rid)
	if err == nil { // content is compared without it: what a rebuild would find counts
		err = a.conn.exec("DELETE FROM raws WHERE rid = ?", rid)
	}
	if err == nil {
		err = a.keepRaw(r, rid)
	}
	if err != nil || a.late != nil { // retry begins a stream, without restamps
		return err
	}
	return a.conn.exec("INSERT INTO restamps (seq, rid) VALUES (?, ?)", signed(r.Seq), rid)
}

// add makes r a row.
func (a *application) add(r *message.Record, hash uint64) error {
	rid, at := a.state.nextRID, instantOf(r.Instant())
	if err := a.segments.add(a.conn, rid, hash, at); err != nil {
		return err
	}
	a.state.nextRID++
	a.fresh[r.ID] = r
	a.applied.Inserted++
	a.senders[r.From]++
	k := makeKey(at, r.ID)
	row := textRow{hit: hit{rid, k}, numbers: [2]string{r.From, r.To}}
	if r.Text != nil {
		row.text = *r.Text
	}
	a.unindexedBytes += len(row.text)
	a.recent.add(row, a.config.search)
	for _, run := range runsOf(&r.Message) {
		a.ranks.add(run, k)
	}
	if err := a.keepRaw(r, rid); err != nil {
		return err
	}
	return a.insert.add(a.conn, rid, a.state.stream, r, at)
}

// keepRaw stores what the sender sent, where the columns do not say it all.
func (a *application) keepRaw(r *message.Record, rid int64) error {
	if r.Raw == nil {
		return nil
	}
	return a.conn.exec("INSERT INTO raws (rid, raw) VALUES (?, ?)", rid, string(r.Raw))
}

// settle stores what the rows of the batch have changed elsewhere. The rows are
// in the database by now.
func (a *application) settle() error {
	if !a.sendersLater {
		if err := a.storeSenders(a.senders); err != nil {
			return err
		}
	}
	if err := a.segments.settle(a.conn); err != nil {
		return err
	}
	if err := a.ranks.settle(a.conn); err != nil {
		return err
	}
	a.state.messages += int64(a.applied.Inserted)
	a.state.outcomes.Inserted += int64(a.applied.Inserted)
	a.state.outcomes.Duplicates += int64(a.applied.Duplicates)
	a.state.outcomes.Conflicts += int64(len(a.applied.Conflicts))
	a.state.outcomes.DeadLetters += int64(a.applied.DeadLetters)
	return nil
}

// storeSenders moves the counters of senders, and what follows from them but the
// rank index, which the caller settles.
func (s *Store) storeSenders(counts senderCounts) error {
	err := counts.store(s.conn, func(sender string, before, after int64) error {
		if before == 0 {
			s.state.senders++
		}
		s.top.offer(sender, after)
		s.ranks.grown(run{bySender, sender}, after)
		return nil
	})
	if err != nil {
		return err
	}
	return s.top.store(s.conn)
}
