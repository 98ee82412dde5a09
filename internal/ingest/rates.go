package ingest

import (
	"fmt"
	"math"
	"time"

	"golang.org/x/time/rate"
)

// LimitedError is returned for a delivery that is one too many of its source's.
// The same is welcome after a pause.
type LimitedError struct{ Pause time.Duration }

func (e *LimitedError) Error() string {
	return fmt.Sprintf("too many deliveries of this kind; come again in %v", e.Pause.Round(time.Millisecond))
}

// limiters are the rates that sources have, by their names.
type limiters map[string]*rate.Limiter

// newLimiters lets each source have what a second brings at once.
func newLimiters(perSecond map[string]float64) limiters {
	all := limiters{}
	for name, n := range perSecond {
		all[name] = rate.NewLimiter(rate.Limit(n), int(math.Ceil(n)))
	}
	return all
}

// take returns nil when the source may deliver now.
func (all limiters) take(source string, now time.Time) error {
	l := all[source]
	if l == nil {
		return nil
	}
	r := l.ReserveN(now, 1)
	if pause := r.DelayFrom(now); pause > 0 {
		r.CancelAt(now)
		return &LimitedError{pause}
	}
	return nil
}
