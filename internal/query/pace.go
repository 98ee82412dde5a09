package query

import "time"

// pace tells whether a writer that fell behind can reach a sequence in time. It
// learns only from somebody who waited in vain for a sequence that is surely in
// the stream: from then until the writer has passed that sequence there is always
// work for it, so that what it got done meanwhile is all that it can do.
type pace struct {
	behind bool
	seq    uint64    // that was waited for in vain
	rate   float64   // entries a second, of the last span that was long enough
	since  time.Time // when the next span began, and
	from   uint64    // how far the writer was then
}

// late notes that somebody waited for seq in vain, while the writer went from
// before to applied.
func (p *pace) late(start time.Time, before uint64, now time.Time, applied, seq uint64) {
	if applied >= seq {
		return
	}
	*p = pace{behind: true, seq: seq, rate: rate(before, applied, now.Sub(start)), since: now, from: applied}
}

// canArrive reports whether the writer, which is at applied, may reach seq within
// that time.
func (p *pace) canArrive(now time.Time, applied, seq uint64, within time.Duration) bool {
	if p.behind && applied >= p.seq {
		p.behind = false
	}
	if !p.behind {
		return true
	}
	if span := now.Sub(p.since); span >= within {
		p.rate, p.since, p.from = rate(p.from, applied, span), now, applied
	}
	return float64(seq-applied) <= p.rate*within.Seconds()
}

func rate(from, to uint64, span time.Duration) float64 {
	if to <= from || span <= 0 {
		return 0
	}
	return float64(to-from) / span.Seconds()
}
