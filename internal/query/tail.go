package query

import (
	"context"
	"time"

	"sluice/pkg/message"
)

const (
	// tailRows is how many rows a tail looks at in one read transaction.
	tailRows = 5000

	// tailStep is how often a tail that has told everything looks again.
	tailStep = 200 * time.Millisecond

	// tailSilence is how long a tail says nothing at most, so that everybody between
	// it and its reader sees that it lives.
	tailSilence = 15 * time.Second

	// maxNewest bounds TailQuery.Newest.
	maxNewest = 1000
)

// TailQuery asks for messages as they arrive.
type TailQuery struct {
	Filter message.Filter
	After  *uint64 // start behind this sequence; nil = with what arrives from now on
	Newest int     // tell at most so many at a time, the newest, and pass over the others; 0 = tell all
}

// ParseTail reads from, to, since, until, q, after and newest from the query part
// of a URL, as ParseMessages does. lastEventID, unless empty, takes the place of
// after: it is what a reader that was cut off saw last.
func ParseTail(rawQuery, lastEventID string) (TailQuery, error) {
	p := parse(rawQuery, "from", "to", "since", "until", "q", "after", "newest")
	if lastEventID != "" {
		p.values["after"] = lastEventID
	}
	q := TailQuery{Filter: p.filter(), Newest: int(p.integer("newest", 1, maxNewest, 0))}
	if _, given := p.values["after"]; given {
		after := p.sequence("after")
		q.After = &after
	}
	return q, p.result()
}

// Tail follows the messages as they arrive in the database. It is for one
// goroutine.
type Tail struct {
	reader  Reader
	query   TailQuery
	timeout time.Duration
	at      uint64 // everything up to here was told
	more    bool   // there is more already
}

// Tail returns a Tail at its start.
func (s *Service) Tail(ctx context.Context, q TailQuery) (*Tail, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	applied, err := s.reader.Applied(ctx)
	if err != nil {
		return nil, explain(ctx, err)
	}
	t := &Tail{reader: s.reader, query: q, timeout: s.timeout, at: applied}
	// What lies beyond the database is of another stream, or of a database further
	// on: rather tell it again than not at all.
	if q.After != nil && *q.After < applied {
		t.at, t.more = *q.After, true
	}
	return t, nil
}

// At returns the sequence that a later Tail starts behind to go on where this one is.
func (t *Tail) At() uint64 { return t.at }

// Next returns what has arrived since the last call. It waits for something to
// tell, but not for ever: now and then there is nothing in the answer.
func (t *Tail) Next(ctx context.Context) (message.Arrivals, error) {
	quiet := time.NewTimer(tailSilence)
	defer quiet.Stop()
	for {
		if !t.more {
			select {
			case <-ctx.Done():
				return message.Arrivals{}, ctx.Err()
			case <-quiet.C:
				return message.Arrivals{Seq: t.at}, nil
			case <-time.After(tailStep):
			}
		}
		a, err := t.look(ctx)
		if err != nil {
			return a, err
		}
		t.at, t.more = a.Seq, a.Seq < a.Applied
		if len(a.Records) > 0 || a.Passed > 0 {
			return a, nil
		}
	}
}

func (t *Tail) look(ctx context.Context) (message.Arrivals, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	req := message.ArrivalsRequest{Filter: t.query.Filter, After: t.at, Limit: tailRows}
	if n := t.query.Newest; n > 0 {
		req.Last = true
		if req.Filter == (message.Filter{}) {
			req.Limit = n
		}
	}
	a, err := t.reader.Arrivals(ctx, req)
	if n := t.query.Newest; n > 0 && len(a.Records) > n {
		a.Passed += int64(len(a.Records) - n)
		a.Records = a.Records[len(a.Records)-n:]
	}
	return a, explain(ctx, err)
}
