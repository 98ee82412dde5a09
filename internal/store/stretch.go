package store

import (
	"context"

	"sluice/pkg/message"
)

// Stretch returns some of the messages that a filter selects, and where to go on.
// It looks at a bounded number of rows in one short transaction, so that it may
// find none although more follow.
func (r *Reader) Stretch(ctx context.Context, req message.StretchRequest) (st message.Stretch, err error) {
	err = r.read(ctx, func(s *snapshot) error {
		st, err = s.stretch(req)
		return err
	})
	return st, err
}

func (s *snapshot) stretch(req message.StretchRequest) (message.Stretch, error) {
	st := message.Stretch{Applied: s.state.checkpoint.Seq}
	p := planOf(req.Filter)
	p.span = p.span.behind(req.After, req.Descending)
	v, err := s.ranks(p.run)
	if err != nil {
		return st, err
	}
	rows, edge, err := v.stretch(p, message.PageRequest{Descending: req.Descending, Limit: req.Limit})
	st.Records = make([]message.Record, len(rows))
	for i := range rows {
		st.Records[i] = rows[i].Record
	}
	st.Next = edge
	return st, err
}

// stretch returns rows and the place to go on behind. Where many rows match they
// are quicker looked at one by one than searched for, so that is tried first.
func (v *rankView) stretch(p plan, req message.PageRequest) (rows []row, next *message.Position, err error) {
	if p.ranked() {
		return v.stretchOf(p, req, v.s.config.stretchRows, v.page)
	}
	rows, next, err = v.stretchOf(p, req, int64(req.Limit), v.checkedPage)
	if err != nil || next == nil || len(rows) >= req.Limit/2 {
		return rows, next, err
	}
	return v.stretchOf(p, req, v.s.config.stretchRows, v.searchPage)
}

// stretchOf finds a page in the first rows of a plan's span, so many of them.
func (v *rankView) stretchOf(p plan, req message.PageRequest, among int64, find func(plan, message.PageRequest) ([]row, int64, bool, error)) ([]row, *message.Position, error) {
	edge, err := v.narrow(&p, req.Descending, among)
	if err != nil {
		return nil, nil, err
	}
	rows, _, more, err := find(p, req)
	if more && len(rows) > 0 {
		edge = rows[len(rows)-1].position()
	}
	return rows, edge, err
}

// narrow cuts the span of a plan to its first rows in the order asked for. It
// returns the place of the last of them, nil when nothing lies behind it.
func (v *rankView) narrow(p *plan, descending bool, among int64) (edge *message.Position, err error) {
	first, end, err := v.ranksOf(p.span)
	if err != nil || end-first <= among {
		return nil, err
	}
	rank := first + among - 1
	if descending {
		rank = end - among
	}
	rows, err := v.slice(rank, rank+1)
	if err != nil {
		return nil, err
	}
	if descending {
		p.span.lo = rows[0].key
	} else {
		p.span.hi = rows[0].key.next()
	}
	return rows[0].position(), nil
}
