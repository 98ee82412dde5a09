// Package groupcommit gathers concurrent callers into one commit and gives each
// its own answer. It refuses to know what is committed, and who calls.
//
// While one commit runs, those who call meanwhile form the next group:
//
//	Then ─▶ gathering ─▶ committing ─▶ answered
//	            ▲             │
//	            └─ Then ──────┘ the next group gathers meanwhile
//
// There is no timer: a caller alone costs exactly one commit and waits for
// nothing else. The busier it gets, the larger the groups: a commit begins once
// whoever could run had the chance to join it.
package groupcommit

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// ErrTooMany is returned by Then at once when Config.MaxWaiting callers wait.
// Nothing was committed for the caller.
var ErrTooMany = errors.New("too many callers wait for a commit")

// ErrStopped is returned by Then after Run has ended because its context did.
var ErrStopped = errors.New("commits have stopped")

// ErrFailed is the answer, wrapped around the commit's own error, to those whose
// commit failed and to every later caller: the first failure is the last commit.
var ErrFailed = errors.New("a commit has failed")

// Config of a Group.
type Config struct {
	// Commit makes durable what all callers of one group, so many, did before
	// they called. It is never called twice at once, and never again after an error.
	Commit func(callers int) error

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
	gathering round
	spare     round // an empty one, to be used again
	waiting   int   // callers in both rounds, those who gave up included
	err       error // ErrFailed or ErrStopped for every caller from now on
}

// round is one group of callers: what is told each of its answer.
type round []func(error)

// New returns a Group. Its callers wait until Run runs.
func New(cfg Config) *Group {
	return &Group{cfg: cfg, wake: make(chan struct{}, 1)}
}

// Then has answer called with nil once a commit has succeeded that began after
// Then was called, or with ErrFailed. It must not block: others wait for theirs.
// It is not called when Then returns an error, which is ErrTooMany, ErrFailed or
// ErrStopped.
func (g *Group) Then(answer func(error)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return g.err
	}
	if g.waiting >= g.cfg.MaxWaiting {
		return ErrTooMany
	}
	g.waiting++
	if g.gathering = append(g.gathering, answer); len(g.gathering) == 1 {
		g.wake <- struct{}{} // never blocks: one token for each round, taken with it
	}
	return nil
}

// Run commits for those who call. It returns the error of the first commit
// that fails, or nil when ctx ends: those who wait by then get one last commit.
func (g *Group) Run(ctx context.Context) error {
	for {
		select {
		case <-g.wake:
			runtime.Gosched()
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
	r := g.take()
	g.mu.Unlock()

	began := time.Now()
	err := g.cfg.Commit(len(r))
	if err == nil && g.cfg.Observe != nil {
		g.cfg.Observe(len(r), time.Since(began))
	}
	return g.answer(r, err)
}

// take closes the gathering round. The lock is held.
func (g *Group) take() round {
	r := g.gathering
	g.gathering, g.spare = g.spare, nil
	return r
}

// answer tells r how its commit went. A failure is everybody's: those who
// gather meanwhile must not be committed any more.
func (g *Group) answer(r round, err error) error {
	g.mu.Lock()
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrFailed, err)
		g.err = err
		r = append(r, g.take()...)
	}
	g.waiting -= len(r)
	g.mu.Unlock()

	for _, answer := range r {
		answer(err)
	}
	clear(r)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.spare = r[:0]
	return err
}

// stop lets nobody in any more and commits once for those who are.
func (g *Group) stop() error {
	g.mu.Lock()
	last := g.take()
	g.err = ErrStopped
	g.mu.Unlock()
	if len(last) == 0 {
		return nil
	}
	return g.answer(last, g.cfg.Commit(len(last)))
}
