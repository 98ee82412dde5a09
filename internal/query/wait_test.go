package query

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/pkg/message"
)

const readWait = 500 * time.Millisecond

// simulate runs f in simulated time, until nobody asks the database any more.
func simulate(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f(t)
		time.Sleep(2 * pollInterval)
	})
}

// ask returns how long a question waits when this process has acknowledged acked.
func ask(d *database, acked, afterSeq uint64) time.Duration {
	return newWaiter(d, acked).ask(afterSeq)
}

type testWaiter struct{ *waiter }

func newWaiter(d *database, acked uint64) testWaiter {
	return testWaiter{&waiter{reader: d, acked: func() uint64 { return acked }, longest: readWait}}
}

func (w testWaiter) ask(afterSeq uint64) time.Duration {
	start := time.Now()
	w.wait(context.Background(), afterSeq)
	return time.Since(start)
}

func TestWait_returnsAtOnceWhenThereIsNothingToWaitFor(t *testing.T) {
	for name, c := range map[string]struct {
		database        *database
		acked, afterSeq uint64
	}{
		"nothing was accepted":      {&database{}, 0, 0},
		"everything is applied":     {&database{applied: 7}, 7, 3},
		"a named one is applied":    {&database{applied: 7}, 0, 7},
		"no database":               {&database{err: message.ErrUnavailable}, 7, 0},
		"the writer is not running": {&database{absent: true}, 7, 0},
	} {
		simulate(t, func(t *testing.T) {
			if took := ask(c.database, c.acked, c.afterSeq); took != 0 {
				t.Errorf("%s: waited %v", name, took)
			}
		})
	}
}

func TestWait_neverWaitsWithoutReadWait(t *testing.T) {
	simulate(t, func(t *testing.T) {
		d := &database{}
		w := newWaiter(d, 7)
		w.longest = 0
		if took := w.ask(9); took != 0 || d.asked != 0 {
			t.Errorf("waited %v and asked %d times", took, d.asked)
		}
	})
}

func TestWait_endsWithinAStepOfTheWriter(t *testing.T) {
	for name, seqs := range map[string]struct{ acked, afterSeq uint64 }{
		"own":           {7, 0},
		"named":         {3, 7},
		"own is higher": {7, 3},
	} {
		simulate(t, func(t *testing.T) {
			d := &database{applied: 2}
			time.AfterFunc(9500*time.Microsecond, func() { d.apply(6) })
			time.AfterFunc(20500*time.Microsecond, func() { d.apply(7) })
			if took := ask(d, seqs.acked, seqs.afterSeq); took != 21*time.Millisecond {
				t.Errorf("%s: waited %v", name, took)
			}
		})
	}
}

func TestWait_givesUpAfterReadWait(t *testing.T) {
	simulate(t, func(t *testing.T) {
		if took := ask(&database{}, 7, 0); took != readWait {
			t.Errorf("waited %v", took)
		}
	})
}

func TestWait_givesUpWhenThereIsNoUseAnyMore(t *testing.T) {
	for name, change := range map[string]func(*database){
		"the writer stopped": func(d *database) { d.absent = true },
		"the database went":  func(d *database) { d.err = message.ErrUnavailable },
	} {
		simulate(t, func(t *testing.T) {
			d := &database{}
			time.AfterFunc(9500*time.Microsecond, func() { d.set(change) })
			if took := ask(d, 7, 0); took != 10*time.Millisecond {
				t.Errorf("%s: waited %v", name, took)
			}
		})
	}
}

func TestWait_endsWithItsContext(t *testing.T) {
	simulate(t, func(t *testing.T) {
		w := newWaiter(&database{}, 7)
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
		defer cancel()
		start := time.Now()
		w.wait(ctx, 0)
		if took := time.Since(start); took != 30*time.Millisecond {
			t.Errorf("waited %v", took)
		}
	})
}

func TestWait_asksOnceForEverybody(t *testing.T) {
	simulate(t, func(t *testing.T) {
		d := &database{}
		w := newWaiter(d, 0)
		const readers = 1000
		var wg sync.WaitGroup
		for i := range readers {
			wg.Go(func() {
				if took := w.ask(uint64(1 + i%5)); took != 11*time.Millisecond {
					t.Errorf("waited %v", took)
				}
			})
		}
		time.AfterFunc(10500*time.Microsecond, func() { d.apply(5) })
		wg.Wait()
		synctest.Wait() // the goroutine that asks has ended
		if d.asked > readers+11 {
			t.Errorf("asked %d times for %d readers", d.asked, readers)
		}
		if len(w.waiting) != 0 || w.polling {
			t.Errorf("%d still wait", len(w.waiting))
		}
	})
}

func TestWait_leavesAWriterThatIsTooFarBehind(t *testing.T) {
	simulate(t, func(t *testing.T) {
		d := &database{applied: 1}
		work := func(perMillisecond uint64, d *database) (stop func()) {
			done := make(chan struct{})
			go func() {
				for {
					select {
					case <-done:
						return
					case <-time.After(time.Millisecond):
						d.set(func(d *database) { d.applied += perMillisecond })
					}
				}
			}()
			return func() { close(done) }
		}
		stop := work(10, d) // 10,000 a second: 5,000 within readWait
		defer stop()

		w := newWaiter(d, 100_000)
		if took := w.ask(0); took != readWait {
			t.Errorf("nothing is known of the writer yet: waited %v", took)
		}
		for range 5 {
			if took := w.ask(0); took != 0 {
				t.Errorf("it cannot arrive: waited %v", took)
			}
			time.Sleep(time.Second)
		}
		for d.now() < 96_000 {
			time.Sleep(time.Millisecond)
		}
		if took := w.ask(0); took == 0 || took == readWait {
			t.Errorf("it can arrive: waited %v", took)
		}
	})
}

func (d *database) now() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.applied
}

func TestWait_waitsAgainOnceTheWriterHasCaughtUp(t *testing.T) {
	simulate(t, func(t *testing.T) {
		d := &database{applied: 1}
		w := newWaiter(d, 5)
		if took := w.ask(0); took != readWait {
			t.Fatalf("waited %v", took)
		}
		if took := w.ask(0); took != 0 {
			t.Errorf("the writer hangs: waited %v", took)
		}
		d.apply(5)
		w.acked = func() uint64 { return 6 }
		time.AfterFunc(3500*time.Microsecond, func() { d.apply(6) })
		if took := w.ask(0); took != 4*time.Millisecond {
			t.Errorf("waited %v", took)
		}
	})
}

func TestWait_learnsNothingFromASequenceThatMayNotExist(t *testing.T) {
	simulate(t, func(t *testing.T) {
		d := &database{applied: 5}
		w := newWaiter(d, 5)
		if took := w.ask(1 << 60); took != readWait {
			t.Fatalf("waited %v", took)
		}
		w.acked = func() uint64 { return 6 }
		time.AfterFunc(3500*time.Microsecond, func() { d.apply(6) })
		if took := w.ask(0); took != 4*time.Millisecond {
			t.Errorf("waited %v", took)
		}
	})
}
