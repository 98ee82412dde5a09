package groupcommit

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slow is a commit that takes a second of simulated time.
type slow struct {
	commits atomic.Int64
	began   atomic.Int64 // UnixNano of the last
	err     error
}

func (s *slow) commit(int) error {
	s.began.Store(time.Now().UnixNano())
	s.commits.Add(1)
	time.Sleep(time.Second)
	return s.err
}

// start runs a group until the test ends.
func start(t *testing.T, cfg Config) (g *Group, stop func() error) {
	t.Helper()
	if cfg.MaxWaiting == 0 {
		cfg.MaxWaiting = 1000
	}
	g = New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = stop() })
	return g, stop
}

// Do waits for what Then would tell. When ctx ends first it returns ctx's error; the
// commit may happen all the same.
func (g *Group) Do(ctx context.Context) error {
	answered := make(chan error, 1)
	if err := g.Then(func(err error) { answered <- err }); err != nil {
		return err
	}
	select {
	case err := <-answered:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestDo_aloneCostsOneCommitAndNoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slow
		g, _ := start(t, Config{Commit: s.commit})
		for n := int64(1); n <= 3; n++ {
			began := time.Now()
			if err := g.Do(t.Context()); err != nil {
				t.Fatal(err)
			}
			if s.commits.Load() != n || time.Since(began) != time.Second {
				t.Errorf("call %d: %d commits, took %v", n, s.commits.Load(), time.Since(began))
			}
		}
	})
}

func TestDo_manyShareTheNextCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slow
		var sizes []int
		g, _ := start(t, Config{Commit: s.commit, Observe: func(size int, took time.Duration) {
			if took != time.Second {
				t.Errorf("took %v", took)
			}
			sizes = append(sizes, size)
		}})
		var wg sync.WaitGroup
		do := func() { wg.Go(func() { _ = g.Do(t.Context()) }) }
		do()
		synctest.Wait() // the first commit is under way
		for range 100 {
			do()
		}
		wg.Wait()
		if s.commits.Load() != 2 || len(sizes) != 2 || sizes[0] != 1 || sizes[1] != 100 {
			t.Errorf("%d commits of %v callers", s.commits.Load(), sizes)
		}
	})
}

func TestDo_returnsAfterACommitThatBeganAfterTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slow
		g, _ := start(t, Config{Commit: s.commit})
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 73 * time.Millisecond)
				called := time.Now().UnixNano()
				if err := g.Do(t.Context()); err != nil {
					t.Error(err)
				}
				if began := s.began.Load(); began < called {
					t.Errorf("called at %d, answered by the commit of %d", called, began)
				}
			})
		}
		wg.Wait()
	})
}

func TestDo_theFirstFailureIsTheLastCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slow{err: errors.New("disk on fire")}
		g, stop := start(t, Config{Commit: s.commit})
		var wg sync.WaitGroup
		do := func() {
			wg.Go(func() {
				if err := g.Do(t.Context()); !errors.Is(err, ErrFailed) || !errors.Is(err, s.err) {
					t.Errorf("got %v", err)
				}
			})
		}
		do()
		synctest.Wait()
		do() // gathers while the first commit fails
		wg.Wait()
		do() // comes later
		wg.Wait()
		if err := stop(); !errors.Is(err, ErrFailed) {
			t.Errorf("Run returned %v", err)
		}
		if s.commits.Load() != 1 {
			t.Errorf("%d commits", s.commits.Load())
		}
	})
}

func TestDo_tooManyIsSaidAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slow
		g, _ := start(t, Config{Commit: s.commit, MaxWaiting: 10})
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := g.Do(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		began := time.Now()
		if err := g.Do(t.Context()); !errors.Is(err, ErrTooMany) || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		wg.Wait()
		if err := g.Do(t.Context()); err != nil {
			t.Errorf("once they are answered: %v", err)
		}
	})
}

func TestDo_aCallerMayGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slow
		g, _ := start(t, Config{Commit: s.commit, MaxWaiting: 2})
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := g.Do(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if err := g.Do(t.Context()); err != nil {
			t.Errorf("the next caller: %v", err)
		}
		if err := g.Do(t.Context()); err != nil {
			t.Errorf("the one after: %v", err)
		}
	})
}

func TestRun_commitsOnceMoreForThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slow
		g, stop := start(t, Config{Commit: s.commit})
		var wg sync.WaitGroup
		do := func() {
			wg.Go(func() {
				if err := g.Do(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		do()
		synctest.Wait()
		do()
		synctest.Wait()
		if err := stop(); err != nil {
			t.Errorf("Run returned %v", err)
		}
		wg.Wait()
		if err := g.Do(t.Context()); !errors.Is(err, ErrStopped) {
			t.Errorf("after Run: %v", err)
		}
		if s.commits.Load() != 2 {
			t.Errorf("%d commits", s.commits.Load())
		}
	})
}

func TestRun_aFailureOfTheLastCommitIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slow{err: errors.New("disk on fire")}
		g := New(Config{Commit: s.commit, MaxWaiting: 1})
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := g.Do(t.Context()); !errors.Is(err, ErrFailed) {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := g.Run(ctx); !errors.Is(err, ErrFailed) {
			t.Errorf("Run returned %v", err)
		}
		wg.Wait()
	})
}

// FuzzDo: whatever the timing of callers and commits, every caller is answered
// by a commit that began at or after its call, and a lone one costs one.
func FuzzDo(f *testing.F) {
	f.Add([]byte{0, 1, 1, 200, 3})
	f.Fuzz(func(t *testing.T, gaps []byte) {
		if len(gaps) > 200 {
			t.Skip()
		}
		synctest.Test(t, func(t *testing.T) {
			var s slow
			g, _ := start(t, Config{Commit: s.commit})
			var wg sync.WaitGroup
			for _, gap := range gaps {
				time.Sleep(time.Duration(gap) * 10 * time.Millisecond)
				wg.Go(func() {
					called := time.Now().UnixNano()
					if err := g.Do(t.Context()); err != nil || s.began.Load() < called {
						t.Errorf("%v: called at %d, committed at %d", err, called, s.began.Load())
					}
				})
			}
			wg.Wait()
			if n := s.commits.Load(); n > int64(len(gaps)) {
				t.Errorf("%d commits for %d callers", n, len(gaps))
			}
		})
	})
}
