package query

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"sluice/pkg/message"
)

// Stream is what the query side asks of the stream.
type Stream interface {
	// Status tells what an operator asks of the stream.
	Status(ctx context.Context) (message.StreamStatus, error)

	// FirstFrom returns the first entry that the stream holds at seq or behind
	// it, or message.ErrNoEntry.
	FirstFrom(ctx context.Context, seq uint64) (message.Entry, error)
}

// PipelineConfig is what a Pipeline is made of. All of it is needed.
type PipelineConfig struct {
	Stream     Stream
	Reader     Reader
	WriterName string // WRITER_NAME of the writer whose database Reader reads
	Now        func() time.Time
}

// Pipeline looks at stream, writers and database at once, for an operator in a
// burst.
type Pipeline struct {
	cfg      PipelineConfig
	accepted rates
	applied  rates
	history  history
	seen     atomic.Pointer[PipelineStatus] // what Status saw last
	outcomes *outcomeCounters               // nil before Register
}

// NewPipeline returns a Pipeline.
func NewPipeline(cfg PipelineConfig) *Pipeline { return &Pipeline{cfg: cfg} }

// PipelineStatus is what a Pipeline saw.
type PipelineStatus struct {
	Stream    message.StreamStatus
	StreamErr error // why Stream is empty
	Store     message.StoreStatus
	StoreErr  error // why Store is empty
	Writers   []WriterStatus

	AcceptedPerSecond float64 // over the last seconds
	AppliedPerSecond  float64
}

// WriterStatus is how far a writer is.
type WriterStatus struct {
	Name    string
	Applied uint64 // the highest sequence it is known to have applied
	Local   bool   // it writes the database beside this process
	Present bool   // it is running; only known of a local one

	// While the stream is away, nobody knows the lag.
	LagKnown   bool
	LagEntries uint64
	Lag        time.Duration // age of the oldest entry not yet applied, 0 when there is none
}

// lookTimeout bounds a look: what does not answer by then cannot be seen.
const lookTimeout = 3 * time.Second

// Status looks. A part that cannot be seen is told by its error.
func (p *Pipeline) Status(ctx context.Context) PipelineStatus {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()

	var s PipelineStatus
	s.Stream, s.StreamErr = p.cfg.Stream.Status(ctx)
	s.Store, s.StoreErr = p.cfg.Reader.Status(ctx)

	now := p.cfg.Now()
	if s.StreamErr == nil {
		s.AcceptedPerSecond = p.accepted.perSecond(now, s.Stream.Last)
	}
	if s.StoreErr == nil {
		s.AppliedPerSecond = p.applied.perSecond(now, s.Store.Checkpoint.Seq)
		if p.outcomes != nil {
			p.outcomes.show(s.Store.Outcomes)
		}
	}
	s.Writers = p.writers(&s)
	for i := range s.Writers {
		p.lag(ctx, now, &s, &s.Writers[i])
	}
	p.seen.Store(&s)
	return s
}

// writers is the stream's writers and the one beside this process, which the
// stream may have forgotten.
func (p *Pipeline) writers(s *PipelineStatus) []WriterStatus {
	local := WriterStatus{Name: p.cfg.WriterName, Local: true, Present: p.cfg.Reader.WriterPresent()}
	ofThisStream := s.StreamErr != nil || s.Store.Checkpoint.StreamID == s.Stream.ID
	if s.StoreErr == nil && ofThisStream {
		local.Applied = s.Store.Checkpoint.Seq
	}
	all := []WriterStatus{local}
	for _, w := range s.Stream.Writers {
		if w.Name == local.Name {
			if s.StoreErr != nil {
				all[0].Applied = w.Acked
			}
			continue
		}
		all = append(all, WriterStatus{Name: w.Name, Applied: w.Acked})
	}
	return all
}

func (p *Pipeline) lag(ctx context.Context, now time.Time, s *PipelineStatus, w *WriterStatus) {
	if s.StreamErr != nil {
		return
	}
	w.LagKnown = true
	done := w.Applied // or trimmed: what the stream no longer holds, nobody waits for
	if s.Stream.First > 0 {
		done = max(done, s.Stream.First-1)
	}
	if s.Stream.Last <= done {
		return
	}
	w.LagEntries = s.Stream.Last - done
	oldest, err := p.cfg.Stream.FirstFrom(ctx, done+1)
	switch {
	case errors.Is(err, message.ErrNoEntry): // trimmed or applied meanwhile
	case err != nil:
		w.LagKnown = false
	default:
		w.Lag = max(0, now.Sub(oldest.AcceptedAt))
	}
}

// History returns what Run saw over the last so long, oldest first.
func (p *Pipeline) History(span time.Duration) []Moment {
	return p.history.since(p.cfg.Now().Add(-span))
}

// StoredBy returns when Run first saw a sequence in the database, if it saw it come.
func (p *Pipeline) StoredBy(seq uint64) (at time.Time, ok bool) { return p.history.storedBy(seq) }

// Entry returns the entry at a sequence, or message.ErrNotFound when the stream has
// none there, or none any more.
func (p *Pipeline) Entry(ctx context.Context, seq uint64) (message.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if seq == 0 {
		return message.Entry{}, message.ErrNotFound
	}
	e, err := p.cfg.Stream.FirstFrom(ctx, seq)
	if errors.Is(err, message.ErrNoEntry) || err == nil && e.Seq != seq {
		return message.Entry{}, message.ErrNotFound
	}
	return e, err
}

// Run keeps rates and history current until ctx ends.
func (p *Pipeline) Run(ctx context.Context) error {
	ticker := time.NewTicker(rateStep)
	defer ticker.Stop()
	for {
		now := Moment{At: p.cfg.Now()}
		if stream, err := p.cfg.Stream.Status(ctx); err == nil {
			now.Accepted = stream.Last
			p.accepted.add(now.At, stream.Last)
		}
		if applied, err := p.cfg.Reader.Applied(ctx); err == nil {
			now.Applied = applied
			p.applied.add(now.At, applied)
			p.history.add(now)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
