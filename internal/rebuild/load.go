package rebuild

import (
	"context"
	"fmt"

	"sluice/internal/writer"
	"sluice/pkg/message"
)

// Hole is a range of sequences that the stream should hold and does not.
type Hole struct{ First, Last uint64 }

func (h Hole) String() string { return fmt.Sprintf("%d to %d", h.First, h.Last) }

const (
	// A batch is larger than the writer's: nobody waits for its rows.
	batchEntries = 20_000
	batchBytes   = 16 << 20
)

// loader replays the stream into the generation. One goroutine reads, one
// decodes, one applies, each a batch ahead of the next: at most four batches are
// in memory.
type loader struct {
	run  *run
	next uint64 // everything before is applied
}

// piece is a step of a replay: some entries, or a hole.
type piece struct {
	entries []message.Entry
	decoded message.Batch
	hole    Hole // no entries
}

// upTo replays the entries from next to a sequence.
func (l *loader) upTo(ctx context.Context, to uint64) error {
	if to < l.next {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	read, decoded := make(chan piece), make(chan piece)
	ended := make(chan error, 1)
	go func() {
		defer close(read)
		ended <- l.read(ctx, to, read)
	}()
	go func() {
		defer close(decoded)
		for p := range read {
			if len(p.entries) > 0 {
				p.decoded = writer.Decode(l.run.state.ID, p.entries)
			}
			decoded <- p
		}
	}()
	err := l.apply(ctx, decoded, to)
	cancel()
	for range decoded { // until both have ended
	}
	if failed := <-ended; err == nil {
		err = failed
	}
	return err
}

// read sends the stream's entries up to to, and its holes.
func (l *loader) read(ctx context.Context, to uint64, out chan<- piece) error {
	send := func(p piece) error {
		select {
		case out <- p:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var gathered piece
	size, next := 0, l.next
	flush := func() error {
		if len(gathered.entries) == 0 {
			return nil
		}
		p := gathered
		gathered, size = piece{}, 0
		return send(p)
	}
	jump := func(seq uint64) error {
		if seq == next {
			return nil
		}
		if err := flush(); err != nil {
			return err
		}
		return send(piece{hole: Hole{next, seq - 1}})
	}
	err := l.run.Stream.Replay(ctx, next, to, func(e message.Entry) error {
		if err := jump(e.Seq); err != nil {
			return err
		}
		next = e.Seq + 1
		gathered.entries = append(gathered.entries, e)
		if size += len(e.Data); len(gathered.entries) >= batchEntries || size >= batchBytes {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	return jump(max(next, to+1))
}

func (l *loader) apply(ctx context.Context, pieces <-chan piece, to uint64) error {
	first := l.next
	for p := range pieces {
		if len(p.entries) == 0 {
			if err := l.hole(ctx, p.hole); err != nil {
				return err
			}
			l.next = p.hole.Last + 1
			continue
		}
		if err := writer.Apply(ctx, l.run.New, p.decoded, p.entries); err != nil {
			return fmt.Errorf("apply entries %d to %d: %w", p.entries[0].Seq, p.decoded.Checkpoint.Seq, err)
		}
		l.next = p.decoded.Checkpoint.Seq + 1
		l.run.result.Entries += int64(len(p.entries))
		l.run.Progress(int64(l.next-first), int64(to-first+1))
	}
	return ctx.Err()
}

// hole deals with sequences that the stream does not hold. What was trimmed while
// the rebuild was on its way is in the database in service.
func (l *loader) hole(ctx context.Context, h Hole) error {
	state, err := l.run.State(ctx)
	if err != nil {
		return err
	}
	if h.Last < state.First && l.run.Old != nil {
		defer l.run.replaying(l.run.phase) // goes on
		return l.run.carry(ctx, l.run.state.ID, h.First, h.Last)
	}
	l.run.holes = append(l.run.holes, h)
	return nil
}
