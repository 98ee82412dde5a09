package store

import (
	"context"
	"database/sql/driver"

	"sluice/pkg/message"
)

// Arrivals returns what the rows behind a sequence bring, as many of them as the
// request looks at. An After that the database has not reached, or that it has gone
// back behind, finds nothing, and Seq says where to go on.
func (r *Reader) Arrivals(ctx context.Context, req message.ArrivalsRequest) (a message.Arrivals, err error) {
	err = r.read(ctx, func(s *snapshot) error {
		a, err = s.arrivals(req)
		return err
	})
	return a, err
}

func (s *snapshot) arrivals(req message.ArrivalsRequest) (message.Arrivals, error) {
	a := message.Arrivals{Seq: s.state.checkpoint.Seq, Applied: s.state.checkpoint.Seq}
	first, err := s.state.firstBehind(s.conn, req.After)
	if err != nil {
		return a, err
	}
	end := first + int64(req.Limit)
	switch {
	case end >= s.state.nextRID:
		end = s.state.nextRID
	case req.Last:
		a.Passed = s.state.nextRID - end
		first, end = first+a.Passed, s.state.nextRID
	}
	p, upTo := planOf(req.Filter), a.Seq
	err = s.query("SELECT "+recordColumns+" FROM messages r WHERE rid >= ? AND rid < ? ORDER BY rid",
		func(values []driver.Value) error {
			r := row{recordOf(values), keyOf(values)}
			upTo = r.Seq
			ofRun := p.from == "" || r.From == p.from
			if ofRun && r.key >= p.span.lo && r.key < p.span.hi && p.matches(&r) {
				a.Records = append(a.Records, r.Record)
			}
			return nil
		}, first, end)
	if end < s.state.nextRID {
		a.Seq = upTo
	}
	return a, err
}
