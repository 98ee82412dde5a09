package store

import (
	"math"
	"sort"

	"sluice/pkg/message"
)

// merge returns a page of the rows of all hits in order, and whether more follow.
// It reads the rows of the page; of those skipped, few.
func (s *snapshot) merge(from []*hits, req message.PageRequest) (page []row, more bool, err error) {
	runs := make([]*mergeRun, len(from))
	for i, h := range from {
		runs[i] = &mergeRun{hits: h, descending: req.Descending}
	}
	for skip, skipped := req.Offset, false; ; {
		next := firstRun(runs)
		if next == nil || len(page) == req.Limit {
			return page, next != nil, nil
		}
		switch {
		case skip > 0 && next.beforeAll(runs):
			n := min(skip, next.left())
			next.drop(n)
			skip -= n
		case skip > s.config.deepSkip && !skipped:
			if skip, err = s.skipByTime(runs, skip); err != nil {
				return nil, false, err
			}
			skipped = true
		case !next.read:
			if err := next.readHead(s); err != nil {
				return nil, false, err
			}
		case skip > 0:
			skip--
			next.drop(1)
		default:
			page = append(page, next.head)
			next.drop(1)
		}
	}
}

// mergeRun is what is left of some hits.
type mergeRun struct {
	*hits
	descending bool
	dropped    int
	head       row // the next one
	read       bool
}

func (r *mergeRun) left() int { return r.len() - r.dropped }

func (r *mergeRun) drop(n int) {
	r.dropped += n
	r.read = false
}

func (r *mergeRun) readHead(s *snapshot) (err error) {
	i := r.dropped
	if r.descending {
		i = r.len() - 1 - i
	}
	r.head, err = r.row(s, i)
	r.read = err == nil
	return err
}

// bound is a key that no hit left comes before: the head's, once it was read.
func (r *mergeRun) bound() key {
	if r.read {
		return r.head.key
	}
	return r.end(!r.descending)
}

// end is a key at or beyond the first hits in order of key, or the last.
func (r *mergeRun) end(first bool) key {
	if first {
		return makeKey(instant{us: r.minUS}, "")
	}
	return makeKey(instant{us: r.maxUS + 1}, "")
}

// firstRun returns the run whose bound comes first, nil when nothing is left.
func firstRun(runs []*mergeRun) (first *mergeRun) {
	for _, r := range runs {
		if r.left() > 0 && (first == nil || r.precedes(r.bound(), first.bound())) {
			first = r
		}
	}
	return first
}

// precedes reports whether a comes before b in the order of the answer.
func (r *mergeRun) precedes(a, b key) bool {
	if r.descending {
		return a > b
	}
	return a < b
}

// beforeAll reports whether every hit left comes before those of other runs.
func (r *mergeRun) beforeAll(runs []*mergeRun) bool {
	last := r.end(r.descending)
	for _, other := range runs {
		if other != r && other.left() > 0 && !r.precedes(last, other.bound()) {
			return false
		}
	}
	return true
}

// skipByTime drops as many hits as it can without dropping more than skip, and
// returns how many are left to skip. It looks for the microsecond that the first
// hit behind them lies in.
func (s *snapshot) skipByTime(runs []*mergeRun, skip int) (int, error) {
	earliest, latest := int64(math.MaxInt64), int64(math.MinInt64)
	for _, r := range runs {
		if r.left() == 0 {
			continue
		}
		if err := r.readTimes(s); err != nil {
			return 0, err
		}
		earliest, latest = min(earliest, r.minUS), max(latest, r.maxUS)
	}
	// How many hits come before the time that is so many microseconds into the answer.
	precede := func(us int) (n int) {
		for _, r := range runs {
			n += r.precedeTime(earliest, latest, us)
		}
		return n
	}
	us := sort.Search(int(latest-earliest), func(us int) bool { return precede(us+1) > skip })
	for _, r := range runs {
		n := r.precedeTime(earliest, latest, us)
		r.drop(n)
		skip -= n
	}
	return skip, nil
}

// precedeTime returns how many hits left come before the time that is us
// microseconds behind the earliest one, or ahead of the latest if descending.
func (r *mergeRun) precedeTime(earliest, latest int64, us int) int {
	if r.descending {
		n := r.left()
		return n - sort.Search(n, func(i int) bool { return r.us(i) > latest-int64(us) })
	}
	return sort.Search(r.left(), func(i int) bool { return r.us(r.dropped+i) >= earliest+int64(us) })
}
