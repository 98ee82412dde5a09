package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sluice/pkg/message"
)

// ErrAnotherStream is returned by Replay when the stream was made anew in the
// middle: what f was given belongs to the one before.
var ErrAnotherStream = errors.New("the stream was made anew meanwhile")

// replayInactive is when the server forgets the consumer of a replay that ended
// without a word.
const replayInactive = time.Minute

// Replayer reads the stream again, beside the writers and without a trace.
type Replayer struct{ conn *Conn }

// NewReplayer returns a Replayer over conn.
func NewReplayer(conn *Conn) *Replayer { return &Replayer{conn} }

// First returns the first sequence that the stream holds now.
func (r *Replayer) First(ctx context.Context) (uint64, error) {
	st, err := r.conn.Status(ctx)
	return st.First, err
}

// Replay calls f for each entry that the stream holds from sequence from to
// sequence to, in order, each once. It returns nil when it has come to to, or to
// the stream's last entry before it. Sequences that the stream does not hold are
// left out: the caller judges gaps.
//
// It waits for a stream that is away and carries on where it was. An error of f
// ends it and is returned as it is.
func (r *Replayer) Replay(ctx context.Context, from, to uint64, f func(message.Entry) error) error {
	run := &replay{conn: r.conn, next: max(from, 1), to: to, f: f}
	for {
		err := run.read(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.Is(err, message.ErrDisconnected):
			return err
		case !sleep(ctx, openInterval):
			return ctx.Err()
		}
	}
}

// replay is one Replay on its way.
type replay struct {
	conn     *Conn
	id       string // of the stream, once known
	next, to uint64 // what is left
	f        func(message.Entry) error
}

// read reads from next on, until the end or until the connection is lost
// (message.ErrDisconnected).
func (r *replay) read(ctx context.Context) error {
	session, end, err := r.conn.session()
	if err != nil {
		return err
	}
	defer end()
	within, cancel := during(ctx, session)
	defer cancel()

	p, err := r.start(within)
	if p == nil || err != nil {
		return err
	}
	defer p.stop()
	for {
		d, err := p.next(within)
		if err != nil {
			return r.lost(err)
		}
		if d.entry.Seq > r.to {
			return nil
		}
		if err := r.f(d.entry); err != nil {
			return err
		}
		r.next = d.entry.Seq + 1
		if r.next > r.to || d.more == 0 {
			return nil
		}
	}
}

// start makes a consumer that delivers from next on; nil when there is nothing
// to deliver.
func (r *replay) start(ctx context.Context) (*pull, error) {
	s, err := r.conn.js.Stream(ctx, Name)
	if err != nil {
		return nil, r.lost(err)
	}
	now := state(s.CachedInfo())
	if r.id != "" && r.id != now.ID {
		return nil, fmt.Errorf("replay at %d: %w", r.next, ErrAnotherStream)
	}
	r.id = now.ID
	if r.next > r.to || r.next > now.Last {
		return nil, nil
	}
	consumer, err := s.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Description:       "a sluice replay",
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       r.next,
		AckPolicy:         jetstream.AckNonePolicy,
		InactiveThreshold: replayInactive,
		MemoryStorage:     true,
		Replicas:          1,
	})
	if err != nil {
		return nil, r.lost(err)
	}
	if consumer.CachedInfo().NumPending == 0 {
		return nil, nil
	}
	p, err := startPull(r.conn.nc, consumer.CachedInfo().Name, r.next-1)
	if err != nil {
		return nil, r.lost(err)
	}
	return p, nil
}

func (r *replay) lost(err error) error {
	return fmt.Errorf("replay at %d: %w: %w", r.next, message.ErrDisconnected, err)
}
