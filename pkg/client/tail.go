package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"time"

	"sluice/pkg/contract"
	"sluice/pkg/message"
)

// TailQuery selects messages as they arrive.
type TailQuery struct {
	message.Filter
	After  *uint64 // start behind this sequence; nil = with what arrives from now on
	Newest int     // at most so many at a time, 1 to 1000, and a count of the others; 0 = all
}

// TailEvent is something that arrived.
type TailEvent struct {
	Message *contract.MessageDetail // nil when Skipped says it all
	Skipped int64                   // messages that came before and are not told, with TailQuery.Newest
}

// silence is how long a tail may say nothing before it is taken for broken: the server
// says something every 15 seconds.
const silence = time.Minute

// Tail gives messages in the order in which the stream has them, for as long as ctx
// lasts, and goes on where it was when the connection breaks: none is missing and none
// comes twice. It ends with ctx's error, or with the *Error of a server that refuses.
func (c *Client) Tail(ctx context.Context, q TailQuery) iter.Seq2[TailEvent, error] {
	return func(yield func(TailEvent, error) bool) {
		t := tail{client: c, query: q}
		if q.After != nil {
			t.at = strconv.FormatUint(*q.After, 10)
		}
		for {
			stopped, err := t.follow(ctx, yield)
			if stopped {
				return
			}
			if ctx.Err() != nil {
				yield(TailEvent{}, ctx.Err())
				return
			}
			if !mayRetry(err) {
				yield(TailEvent{}, fmt.Errorf("GET %s: %w", contract.PathTail, err))
				return
			}
			pause := t.backoff.next(retryAfter(err))
			if c.cfg.OnRetry != nil {
				c.cfg.OnRetry(err, pause)
			}
			_ = sleep(ctx, pause) // follow notices when ctx has ended
		}
	}
}

// tail is where a reader is.
type tail struct {
	client  *Client
	query   TailQuery
	at      string // the last event id
	backoff backoff
}

// errEnded is why a tail that nobody refused has ended.
var errEnded = errors.New("the server ended the connection")

// follow reads one connection to its end. stopped means that the caller wants no more.
func (t *tail) follow(ctx context.Context, yield func(TailEvent, error) bool) (stopped bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := time.AfterFunc(silence, cancel)
	defer watch.Stop()

	values := filterValues(t.query.Filter)
	if t.query.Newest > 0 {
		values.Set("newest", strconv.Itoa(t.query.Newest))
	}
	header := http.Header{}
	header.Set("Accept", contract.TypeEvents+", "+contract.TypeProblem)
	if t.at != "" {
		header.Set(contract.HeaderLastEventID, t.at)
	}
	res, err := t.client.send(ctx, request{method: http.MethodGet, path: contract.PathTail, query: values, header: header})
	if err != nil {
		return false, err
	}
	defer func() { _ = res.Body.Close() }()
	for events := newEventReader(res.Body); ; {
		e, err := events.next()
		if err != nil {
			return false, errors.Join(errEnded, err)
		}
		watch.Reset(silence)
		t.backoff = backoff{}
		told, err := decodeEvent(e)
		if err != nil {
			return false, err
		}
		if told != nil && !yield(*told, nil) {
			return true, nil
		}
		if e.id != "" {
			t.at = e.id
		}
	}
}

// decodeEvent returns nil for an event that tells nothing.
func decodeEvent(e event) (*TailEvent, error) {
	switch e.name {
	case contract.EventMessage:
		var m contract.MessageDetail
		if err := json.Unmarshal(e.data, &m); err != nil {
			return nil, fmt.Errorf("%w: an event that is no message: %w", errMalformed, err)
		}
		return &TailEvent{Message: &m}, nil
	case contract.EventSkipped:
		var s contract.Skipped
		if err := json.Unmarshal(e.data, &s); err != nil {
			return nil, fmt.Errorf("%w: an event that counts nothing: %w", errMalformed, err)
		}
		return &TailEvent{Skipped: s.Messages}, nil
	}
	return nil, nil
}
