package query

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"sluice/pkg/message"
)

// database is a Reader whose writer a test moves.
type database struct {
	mu      sync.Mutex
	applied uint64
	err     error
	absent  bool // the writer
	hang    bool // until the question runs out of time
	asked   int  // calls of Applied

	page      message.PageRequest // asked for last
	stretches []message.Stretch   // that Stretch answers with

	lastTS *string
}

func (d *database) apply(seq uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.applied = seq
}

func (d *database) Applied(context.Context) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	return d.applied, d.err
}

func (d *database) WriterPresent() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.absent
}

func (d *database) set(change func(*database)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

func (d *database) Messages(ctx context.Context, r message.PageRequest) (message.Page, error) {
	if d.hang {
		<-ctx.Done()
		return message.Page{}, errors.New("interrupted")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.page = r
	return message.Page{Applied: d.applied}, d.err
}

func (d *database) Stretch(_ context.Context, r message.StretchRequest) (message.Stretch, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := 0
	if r.After != nil {
		at, _ = strconv.Atoi(r.After.ID)
	}
	return d.stretches[at], d.err
}

func (d *database) Message(_ context.Context, id string) (message.Detail, uint64, error) {
	return message.Detail{Record: message.Record{Message: message.Message{ID: id}}}, d.applied, d.err
}

// Arrivals brings one message a sequence.
func (d *database) Arrivals(_ context.Context, r message.ArrivalsRequest) (message.Arrivals, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := message.Arrivals{Seq: d.applied, Applied: d.applied}
	first := r.After + 1
	if pending := int64(d.applied) - int64(r.After) - int64(r.Limit); pending > 0 && r.Last {
		a.Passed, first = pending, first+uint64(pending)
	} else if pending > 0 {
		a.Seq = r.After + uint64(r.Limit)
	}
	for seq := first; seq <= a.Seq; seq++ {
		a.Records = append(a.Records, message.Record{Seq: seq})
	}
	return a, d.err
}

// Timeline counts as many as there are hours.
func (d *database) Timeline(_ context.Context, _ string, instants []time.Time) (message.Timeline, error) {
	t := message.Timeline{Applied: d.applied}
	for i := range len(instants) - 1 {
		t.Counts = append(t.Counts, int64(instants[i+1].Sub(instants[i]).Hours()))
	}
	return t, d.err
}

func (d *database) DeadLetters(_ context.Context, f func(message.DeadLetter) error) error {
	for seq := uint64(1); seq <= 3*maxDeadLetters; seq++ {
		if err := f(message.DeadLetter{Seq: seq, Data: make([]byte, 5000)}); err != nil {
			return err
		}
	}
	return d.err
}

func (d *database) Stats(context.Context) (message.Stats, error) {
	return message.Stats{Applied: d.applied, LastTS: d.lastTS}, d.err
}

func (d *database) Status(context.Context) (message.StoreStatus, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return message.StoreStatus{Checkpoint: message.Checkpoint{StreamID: "S@1", Seq: d.applied}}, d.err
}
