package rebuild

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/pkg/message"
)

// ErrLoss is returned for a rebuild that would take rows away which the database
// in service has. Nothing was changed; AcceptLoss lets it pass.
var ErrLoss = errors.New("rows would be lost")

// Generation is the new database. Nobody sees it until Swap.
type Generation interface {
	// Apply applies a batch, as a writer's store does.
	Apply(ctx context.Context, b message.Batch) (message.Applied, error)

	// Rewind makes another stream the current one.
	Rewind(ctx context.Context, to message.Checkpoint) (removed int, err error)

	// Status tells how far it is.
	Status(ctx context.Context) (message.StoreStatus, error)

	// Has tells whether it has a message of that id.
	Has(ctx context.Context, id string) (bool, error)

	// Settle completes what was left for later and returns once all is on disk.
	Settle(ctx context.Context) error

	// TidyService shortens TakeOver, while the database in service is written.
	TidyService()

	// TakeOver waits for the database in service to have no writer, and keeps it so.
	TakeOver(ctx context.Context) error

	// Swap puts the generation in its place; swapped tells whether that is done,
	// an error notwithstanding.
	Swap(ctx context.Context) (swapped bool, err error)
}

// Plan is a rebuild.
type Plan struct {
	Stream Stream
	State  func(ctx context.Context) (message.StreamState, error)

	Old    Old   // the database in service, nil when there is none
	OldErr error // why it cannot be read, when it cannot
	New    Generation

	// HandOver has the running writer, if there is one, close the database in service.
	HandOver func(ctx context.Context) error

	AcceptLoss bool
	Phase      func(name, unit string) // is told what is done now
	Progress   func(done, total int64) // and how far that is
}

// Result is what a rebuild did.
type Result struct {
	Entries int64  // replayed
	Carried int64  // rows taken from the database in service, since the stream has trimmed their entries
	Before  int64  // rows of the database that was in service
	After   int64  // rows of the one that is
	Lost    int64  // rows that were lost, and accepted
	Applied uint64 // the new checkpoint
}

const (
	// nearEntries is how near the generation must be to the database in service
	// before that one is asked to wait.
	nearEntries = 5000

	// maxRounds bounds catching up with a writer that is as fast.
	maxRounds = 20

	// lastTimeout bounds how long the database in service has no writer.
	lastTimeout = time.Minute
)

// run is one Run under way.
type run struct {
	Plan
	state  message.StreamState
	load   loader
	phase  string // the one in which entries are replayed
	holes  []Hole // that trimming does not explain
	result Result
}

// Run makes the new generation and puts it in the place of the database in
// service. Before an error nothing has changed, unless the error says otherwise.
func Run(ctx context.Context, plan Plan) (Result, error) {
	r := &run{Plan: plan}
	err := r.run(ctx)
	return r.result, err
}

func (r *run) run(ctx context.Context) (err error) {
	if r.state, err = r.State(ctx); err != nil {
		return err
	}
	if err := r.begin(ctx); err != nil {
		return err
	}
	if err := r.catchUp(ctx, "replay"); err != nil {
		return err
	}
	r.Phase("settle", "rows")
	if err := r.New.Settle(ctx); err != nil {
		return err
	}
	if err := r.catchUp(ctx, "catch up"); err != nil {
		return err
	}
	return r.swap(ctx)
}

// begin checks that the generation will be whole and gives it what the stream
// does not hold any more.
func (r *run) begin(ctx context.Context) error {
	status, err := r.New.Status(ctx)
	if err != nil {
		return err
	}
	cp := status.Checkpoint
	if cp.StreamID != "" {
		if err := r.proveSnapshot(ctx, &status); err != nil {
			return err
		}
	}
	whole := cp.StreamID != "" && cp.Seq+1 >= r.state.First // a snapshot that needs nothing else
	switch {
	case r.Old == nil:
		if trimmed := cp.Seq+1 < r.state.First; trimmed && !r.AcceptLoss {
			return fmt.Errorf("%w: the stream begins at %d, what was before is trimmed, and there is no database to take it from; give a snapshot (--from), or accept the loss (--accept-loss)",
				ErrLoss, r.state.First)
		}
	case r.OldErr != nil:
		if !whole && !r.AcceptLoss {
			return fmt.Errorf("%w, perhaps: the database in service cannot be read (%w), so nobody knows what it has beyond the stream, which begins at %d; give a snapshot (--from), or accept the loss (--accept-loss)",
				ErrLoss, r.OldErr, r.state.First)
		}
		r.Old = nil
	default:
		if err := r.carryOver(ctx, cp); err != nil {
			return err
		}
	}
	if status, err = r.New.Status(ctx); err != nil {
		return err
	}
	r.load = loader{run: r, next: max(status.Checkpoint.Seq+1, r.state.First)}
	if status.Checkpoint.StreamID != r.state.ID {
		r.load.next = r.state.First
	}
	return nil
}

// proveSnapshot makes sure that a snapshot's checkpoint is an entry of this stream.
func (r *run) proveSnapshot(ctx context.Context, status *message.StoreStatus) error {
	cp := status.Checkpoint
	if cp.StreamID != r.state.ID {
		return fmt.Errorf("the snapshot follows stream %q, this one is %q: put it in place and start the writer instead", cp.StreamID, r.state.ID)
	}
	if cp.Seq < r.state.First {
		return nil
	}
	same := false
	err := r.Stream.Replay(ctx, cp.Seq, cp.Seq, func(e message.Entry) error {
		same = e.MsgID == cp.MsgID && (status.AppliedAt.IsZero() || e.AcceptedAt.Equal(status.AppliedAt))
		return nil
	})
	if err != nil || same {
		return err
	}
	now, err := r.State(ctx)
	if err != nil {
		return err
	}
	if now.ID == r.state.ID && cp.Seq < now.First { // trimmed meanwhile
		r.state = now
		return nil
	}
	return fmt.Errorf("the snapshot ends at sequence %d with an entry that this stream does not have there: put it in place and start the writer instead", cp.Seq)
}

// catchUp replays until the generation is near the database in service. The
// stream's own end may run away as long as the writer's does not.
func (r *run) catchUp(ctx context.Context, phase string) error {
	for round := range maxRounds {
		state, err := r.State(ctx)
		if err != nil {
			return err
		}
		if state.ID != r.state.ID {
			return fmt.Errorf("the stream was made anew meanwhile, it is %q now", state.ID)
		}
		target := state.Last
		if old, ok := r.oldCheckpoint(ctx); ok && round > 0 {
			target = old.Seq
		}
		if round > 0 && target < r.load.next+nearEntries {
			return nil
		}
		if round == 0 {
			r.replaying(phase)
		}
		if err := r.load.upTo(ctx, target); err != nil {
			return err
		}
	}
	return nil
}

// replaying begins a phase in which entries are replayed.
func (r *run) replaying(phase string) {
	r.phase = phase
	r.Phase(phase, "entries")
}

// oldCheckpoint returns how far the database in service is, if it follows this stream.
func (r *run) oldCheckpoint(ctx context.Context) (message.Checkpoint, bool) {
	if r.Old == nil {
		return message.Checkpoint{}, false
	}
	status, err := r.Old.Status(ctx)
	return status.Checkpoint, err == nil && status.Checkpoint.StreamID == r.state.ID
}

// swap has the writer wait, applies the last entries, compares and swaps.
func (r *run) swap(ctx context.Context) error {
	r.replaying("swap")
	ctx, cancel := context.WithTimeout(ctx, lastTimeout)
	defer cancel()
	r.New.TidyService()
	if err := r.HandOver(ctx); err != nil {
		return err
	}
	if err := r.New.TakeOver(ctx); err != nil {
		return fmt.Errorf("take the database over: %w", err)
	}
	state, err := r.State(ctx)
	if err != nil {
		return err
	}
	target := state.Last
	if old, ok := r.oldCheckpoint(ctx); ok {
		if target = old.Seq; target > state.Last && !r.AcceptLoss {
			return fmt.Errorf("%w: the database in service is at sequence %d, the stream ends at %d: start the writer, it gives the stream back what it has lost",
				ErrLoss, old.Seq, state.Last)
		}
	}
	if err := r.load.upTo(ctx, target); err != nil {
		return err
	}
	if err := r.compare(ctx); err != nil {
		return err
	}
	swapped, err := r.New.Swap(ctx)
	if swapped && err != nil {
		return fmt.Errorf("the new database is in service, but: %w", err)
	}
	return err
}

// compare refuses a generation that has fewer rows than the database in service.
func (r *run) compare(ctx context.Context) error {
	after, err := r.New.Status(ctx)
	if err != nil {
		return err
	}
	r.result.After, r.result.Applied = after.Messages, after.Checkpoint.Seq
	if r.Old == nil {
		return nil
	}
	before, err := r.Old.Status(ctx)
	if err != nil {
		return err
	}
	r.result.Before = before.Messages
	inHoles, err := r.rowsInHoles(ctx)
	if err != nil {
		return err
	}
	r.result.Lost = max(before.Messages-after.Messages, inHoles)
	if r.result.Lost <= 0 || r.AcceptLoss {
		return nil
	}
	where := "nothing in the stream tells why: see what verify says"
	if len(r.holes) > 0 {
		where = fmt.Sprintf("the stream has lost entries without being trimmed: %v", r.holes)
	}
	return fmt.Errorf("%w: %d of %d; %s. The old database stays in service; take a snapshot of it. --accept-loss goes on without them",
		ErrLoss, r.result.Lost, before.Messages, where)
}
