// Package groupcommit gathers concurrent callers into one commit and gives each
// its own answer. It refuses to know what is committed, and who calls.
//
// While one commit runs, those who call meanwhile form the next group:
//
//	Do ─▶ gathering ─▶ committing ─▶ answered
//	          ▲             │
//	          └─ Do ────────┘ the next group gathers meanwhile
//
// There is no timer: a caller alone costs exactly one commit and waits for
// nothing else. The busier it gets, the larger the groups.
package groupcommit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrTooMany is returned by Do at once when Config.MaxWaiting callers wait.
// Nothing was committed for the caller.
var ErrTooMany = errors.New("too many callers wait for a commit")

// ErrStopped is returned by Do after Run has ended because its context did.
var ErrStopped = errors.New("commits have stopped")

// ErrFailed is returned by Do, wrapped around the commit's own error, to those
// whose commit failed and to every later caller: the first failure is the last
// commit.
var ErrFailed = errors.New("a commit has failed")

// Config of a Group.
type Config struct {
	// Commit makes durable what all callers of one group did before they
	// called. It is never called twice at once, and never again after an error.
	Commit func() error

	// MaxWaiting bounds the callers that wait, in both groups together.
	MaxWaiting int

	// Observe is told of each commit that succeeded, nil for nobody: how many
	// callers shared it and how long it took. It must not block.
	Observe func(size int, took time.Duration)
}

// Group shares commits among its callers.
type Group struct {
	cfg  Config
	wake chan struct{} // holds one token when the gathering group has callers

	mu        sync.Mutex
	gathering *round
	waiting   int   // callers in both rounds, those who gave up included
	err       error // ErrFailed or ErrStopped for every caller from now on
}

// round is one group of callers and its answer.
type round struct {
	size int
	done chan struct{} // closed once err is set
	err  error
}

// New returns a Group. Its callers wait until Run runs.
func New(cfg Config) *Group {
	return &Group{cfg: cfg, wake: make(chan struct{}, 1), gathering: newRound()}
}

func newRound() *round { return &round{done: make(chan struct{})} }

// Do returns nil once a commit has succeeded that began after Do was called. It
// returns ErrTooMany, ErrFailed, ErrStopped or, when ctx ends first, ctx's
// error; in that case the commit may happen all the same.
func (g *Group) Do(ctx context.Context) error {
	r, err := g.join()
	if err != nil {
		return err
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *Group) join() (*round, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return nil, g.err
	}
	if g.waiting >= g.cfg.MaxWaiting {
		return nil, ErrTooMany
	}
	g.waiting++
	r := g.gathering
	if r.size++; r.size == 1 {
		g.wake <- struct{}{} // never blocks: one token for each round, taken with it
	}
	return r, nil
}

// Run commits for those who call Do. It returns the error of the first commit
// that fails, or nil when ctx ends: those who wait by then get one last commit.
func (g *Group) Run(ctx context.Context) error {
	for {
		select {
		case <-g.wake:
			if err := g.commit(); err != nil {
				return err
			}
		case <-ctx.Done():
			return g.stop()
		}
	}
}

// commit closes the gathering round, commits and answers it.
func (g *Group) commit() error {
	g.mu.Lock()
	r := g.gathering
	g.gathering = newRound()
	g.mu.Unlock()

	began := time.Now()
	err := g.cfg.Commit()
	if err == nil && g.cfg.Observe != nil {
		g.cfg.Observe(r.size, time.Since(began))
	}
	return g.answer(r, err)
}

// answer tells r how its commit went. A failure is everybody's: those who
// gather meanwhile must not be committed any more.
func (g *Group) answer(r *round, err error) error {
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrFailed, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting -= r.size
	r.err = err
	close(r.done)
	if err != nil {
		g.refuse(err)
	}
	return err
}

// refuse answers the gathering round, and every caller from now on, with err.
// The lock is held.
func (g *Group) refuse(err error) {
	g.err = err
	g.waiting -= g.gathering.size
	g.gathering.err = err
	close(g.gathering.done)
}

// stop lets nobody in any more and commits once for those who are.
func (g *Group) stop() error {
	g.mu.Lock()
	last := g.gathering
	g.gathering = newRound()
	g.err = ErrStopped
	g.mu.Unlock()
	if last.size == 0 {
		return nil
	}
	return g.answer(last, g.cfg.Commit())
}
