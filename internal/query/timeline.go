package query

import (
	"context"
	"time"

	"sluice/pkg/message"
)

// Units of a timeline, and how many of them there are in one.
const (
	UnitHour = "hour"
	UnitDay  = "day"

	defaultBuckets = 48
	maxBuckets     = 400
)

var units = map[string]time.Duration{UnitHour: time.Hour, UnitDay: 24 * time.Hour}

// TimelineQuery asks how many messages there were in each hour or day, by ts.
type TimelineQuery struct {
	Unit    string
	From    string     // a sender, empty for all
	Until   *time.Time // in the last bucket or at its end; nil = the last message, but not after now
	Buckets int
}

// ParseTimeline reads unit, from, until and buckets from the query part of a URL, as
// ParseMessages does.
func ParseTimeline(rawQuery string) (TimelineQuery, error) {
	p := parse(rawQuery, "unit", "from", "until", "buckets")
	q := TimelineQuery{
		Unit:    UnitHour,
		From:    p.msisdn("from"),
		Until:   p.instant("until"),
		Buckets: int(p.integer("buckets", 1, maxBuckets, defaultBuckets)),
	}
	if unit, given := p.values["unit"]; given {
		if q.Unit = unit; units[unit] == 0 {
			p.refuse("unit", CodeChoice, "must be hour or day")
		}
	}
	return q, p.result()
}

// Bucket is a stretch of a timeline.
type Bucket struct {
	Start time.Time
	Count int64
}

// Timeline counts, and returns the database's sequence too.
func (s *Service) Timeline(ctx context.Context, q TimelineQuery) (buckets []Bucket, applied uint64, err error) {
	ctx, cancel := s.begin(ctx, 0)
	defer cancel()
	end, err := s.timelineEnd(ctx, q)
	if err != nil {
		return nil, 0, explain(ctx, err)
	}
	unit := units[q.Unit]
	instants := make([]time.Time, q.Buckets+1)
	for i := range instants {
		instants[i] = end.Add(unit * time.Duration(i-q.Buckets))
	}
	t, err := s.reader.Timeline(ctx, q.From, instants)
	if err != nil {
		return nil, 0, explain(ctx, err)
	}
	for i, n := range t.Counts {
		buckets = append(buckets, Bucket{instants[i], n})
	}
	return buckets, t.Applied, nil
}

// timelineEnd returns where the last bucket ends.
func (s *Service) timelineEnd(ctx context.Context, q TimelineQuery) (time.Time, error) {
	last := time.Now()
	if q.Until != nil {
		last = q.Until.Add(-1) // the end of a bucket does not begin another
	} else {
		stats, err := s.reader.Stats(ctx)
		if err != nil {
			return last, err
		}
		if stats.LastTS != nil {
			if ts, ok := message.ParseInstant(*stats.LastTS); ok && ts.Before(last) {
				last = ts
			}
		}
	}
	unit := units[q.Unit]
	return last.UTC().Truncate(unit).Add(unit), nil
}
