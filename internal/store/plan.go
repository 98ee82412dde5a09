package store

import (
	"time"

	"sluice/pkg/message"
)

// plan is how a filter is answered: from one stretch of one run, whose rows the
// rank index counts, unless it asks for more than a run can tell.
type plan struct {
	run      run    // the sender's, if one is given
	span     span   // since and until
	from, to string // empty for any
	term     string // folded, empty for none
}

func planOf(f message.Filter) plan {
	p := plan{run: allRows, span: spanOf(f.Since, f.Until), from: f.From, to: f.To, term: fold(f.Text)}
	if f.From != "" {
		p.run = run{bySender, f.From}
	}
	return p
}

// ranked reports whether every row of the run inside the span matches.
func (p *plan) ranked() bool { return p.to == "" && p.term == "" }

// matches reports whether a row of the run inside the span matches.
func (p *plan) matches(r *row) bool {
	return (p.to == "" || r.To == p.to) && (p.term == "" || r.Text != nil && foldedContains(*r.Text, p.term))
}

// spanOf is the keys from since on, before until.
func spanOf(since, until *time.Time) span {
	s := everything
	if since != nil {
		s.lo = makeKey(instantOf(*since), "")
	}
	if until != nil {
		s.hi = makeKey(instantOf(*until), "")
	}
	return s
}

// behind is what follows a place in the order of the answer.
func (s span) behind(p *message.Position, descending bool) span {
	if p == nil {
		return s
	}
	k := makeKey(instantOf(p.At), p.ID)
	if descending {
		s.hi = min(s.hi, k)
	} else {
		s.lo = max(s.lo, k.next())
	}
	return s
}
