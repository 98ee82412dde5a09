package store

import (
	"context"
	"time"

	"sluice/pkg/message"
)

// Timeline counts the messages of a sender, of all when from is empty, between each
// of the instants and the next, which ascend. The rank index knows most of it, so
// that a table of any size answers at once.
func (r *Reader) Timeline(ctx context.Context, from string, instants []time.Time) (t message.Timeline, err error) {
	err = r.read(ctx, func(s *snapshot) error {
		t.Applied = s.state.checkpoint.Seq
		t.Counts, err = s.timeline(planOf(message.Filter{From: from}).run, instants)
		return err
	})
	return t, err
}

func (s *snapshot) timeline(r run, instants []time.Time) ([]int64, error) {
	v, err := s.ranks(r)
	if err != nil {
		return nil, err
	}
	var counts []int64
	var before int64
	for i, at := range instants {
		rank, err := v.rank(makeKey(instantOf(at), ""))
		if err != nil {
			return nil, err
		}
		if i > 0 {
			counts = append(counts, rank-before)
		}
		before = rank
	}
	return counts, nil
}
