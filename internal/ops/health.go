package ops

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Side is what a check is about, for balancers that scale the sides apart.
type Side string

// The sides of a process.
const (
	Ingest Side = "ingest" // taking messages
	Query  Side = "query"  // answering for them
)

// checkTimeout bounds one check: a process that cannot tell is not ready.
const checkTimeout = time.Second

// Health is the named checks of a process. It is ready while all of them pass
// and it has not been told to stop.
type Health struct {
	mu       sync.Mutex
	checks   []check
	stopping atomic.Bool
}

type check struct {
	side Side
	name string
	run  func(context.Context) error
}

// Add makes readiness of that side depend on run, whose error is shown to
// whoever asks: it must not hold a secret.
func (h *Health) Add(side Side, name string, run func(context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = append(h.checks, check{side, name, run})
}

// Stopping makes the process not ready for good.
func (h *Health) Stopping() { h.stopping.Store(true) }

// Report runs the checks of that side, of both when it is empty, at the same
// time. checks holds "ok" or the reason of each. It returns within a second or so, even
// when a check hangs.
func (h *Health) Report(ctx context.Context, side Side) (ready bool, checks map[string]string) {
	h.mu.Lock()
	all := h.checks[:len(h.checks):len(h.checks)]
	h.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()

	type answer struct{ name, result string }
	answers := make(chan answer, len(all))
	asked := 0
	checks = map[string]string{}
	for _, c := range all {
		if side != "" && c.side != side {
			continue
		}
		asked++
		checks[c.name] = fmt.Sprintf("no answer within %v", checkTimeout)
		go func() {
			if err := c.run(ctx); err != nil {
				answers <- answer{c.name, err.Error()}
			} else {
				answers <- answer{c.name, "ok"}
			}
		}()
	}
	for range asked {
		select {
		case a := <-answers:
			checks[a.name] = a.result
		case <-ctx.Done():
		}
	}

	ready = true
	if h.stopping.Load() {
		checks["process"] = "stopping"
	}
	for _, result := range checks {
		ready = ready && result == "ok"
	}
	return ready, checks
}
