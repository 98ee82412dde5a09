// Package ingest accepts deliveries: it verifies, parses and publishes them, and
// returns once their messages are as durable as the process promises. It refuses
// to know how a delivery came in and what the stream is made of.
package ingest

import (
	"context"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"sluice/internal/source"
	"sluice/pkg/message"
	"sluice/pkg/signature"
)

// Config is what an Acceptor is made of. All of it but Rates is needed.
type Config struct {
	Publisher Publisher
	Sources   []source.Source    // that deliveries may come from: their counters are there from the start
	Rates     map[string]float64 // deliveries a second that a source of that name may have taken; none = any
	Metrics   *metrics.Set       // takes webhook_requests_total and webhook_signatures_total
	Now       func() time.Time   // what signed times are compared with
}

// Acceptor accepts deliveries, from several goroutines at once.
type Acceptor struct {
	publisher Publisher
	now       func() time.Time
	limiters  limiters
	line      *line
	turns     turns
	counters  counters
	acked     acked
}

// New returns an Acceptor.
func New(cfg Config) *Acceptor {
	return &Acceptor{publisher: cfg.Publisher, now: cfg.Now, limiters: newLimiters(cfg.Rates), turns: make(turns, largeAtOnce), line: newLine(fewInLine, longestWait), counters: newCounters(cfg.Metrics, cfg.Sources)}
}

// Delivery is one request from a sender.
type Delivery struct {
	Source    source.Source
	Header    func(name string) string // value of a request header, empty when there is none
	Target    string                   // path and query as they were sent
	Body      []byte                   // raw, as it was signed
	RequestID string
	Trace     string // traceparent header, empty when there is none that is sound

	place place // in line
}

// Outcome is what became of a delivery.
type Outcome struct {
	Result    Result
	MessageID string            // of the first message or status, empty as long as it is not known
	Receipts  []message.Receipt // one for each entry that was published: messages, statuses, what is unknown
}

// Seq returns the highest sequence of the receipts, 0 when there are none.
func (o *Outcome) Seq() (highest uint64) {
	for _, r := range o.Receipts {
		highest = max(highest, r.Seq)
	}
	return highest
}

// Duplicates returns how many of the entries the stream knew already.
func (o *Outcome) Duplicates() (n int) {
	for _, r := range o.Receipts {
		if r.Duplicate {
			n++
		}
	}
	return n
}

// Accept verifies a delivery, parses it, and publishes all that it holds. It
// returns nil once all of that is as durable as the process promises. Header,
// Target and Body are not kept.
//
// The error is one of package signature's or a LimitedError, then nothing was
// parsed; strangers do not use up a source's rate;
// message.InvalidErrors, then nothing was published; or ErrUnavailable, then some
// of the messages may have been, and the sender should send the same again: those
// will be duplicates. The Outcome is filled as far as things went.
func (a *Acceptor) Accept(ctx context.Context, d Delivery) (Outcome, error) {
	o, err := a.accept(ctx, d)
	a.counters.add(d.Source, o.Result)
	return o, err
}

func (a *Acceptor) accept(ctx context.Context, d Delivery) (Outcome, error) {
	done, err := a.letIn(ctx, &d)
	if err != nil {
		return Outcome{Result: Unavailable}, err
	}
	defer done()
	content, o, err := a.read(&d)
	if err != nil {
		return o, err
	}
	entries := d.entries(&content)
	if len(entries) > 1 {
		d.place.leave() // the publisher has them take turns, which may be long
	}
	if o.Receipts, err = a.publish(ctx, entries); err != nil {
		o.Result = Unavailable
		return o, err
	}
	o.Result = Created
	if o.Duplicates() == len(entries) {
		o.Result = Duplicate
	}
	a.counters.published(d.Source, &content, o.Receipts)
	return o, nil
}

// letIn has a large delivery wait for its turn and a small one join the line. The
// caller calls done unless there is an error, which is an UnavailableError.
func (a *Acceptor) letIn(ctx context.Context, d *Delivery) (done func(), err error) {
	if len(d.Body) >= largeBytes {
		return a.turns.take(ctx)
	}
	if !a.line.join(&d.place) {
		return nil, errBusy
	}
	return d.place.leave, nil
}

// read verifies a delivery and parses it.
func (a *Acceptor) read(d *Delivery) (content source.Content, o Outcome, err error) {
	now := a.now()
	secret, err := d.Source.Scheme().Verify(signature.Request{Header: d.Header, Target: d.Target, Body: d.Body}, now)
	if err != nil {
		return content, Outcome{Result: InvalidSignature}, err
	}
	a.counters.signed(d.Source, secret)
	if err := a.limiters.take(d.Source.Name(), now); err != nil {
		return content, Outcome{Result: Limited}, err
	}
	content, err = d.Source.Read(source.Delivery{Header: d.Header, Target: d.Target, Body: d.Body, At: now})
	o.MessageID = firstID(&content)
	if err != nil {
		o.Result = Invalid
	}
	return content, o, err
}

func firstID(c *source.Content) string {
	switch {
	case len(c.Messages) > 0:
		return c.Messages[0].ID
	case len(c.Statuses) > 0:
		return c.Statuses[0].MessageID
	}
	return ""
}

// publish publishes entries and returns their receipts.
func (a *Acceptor) publish(ctx context.Context, entries []message.Entry) (receipts []message.Receipt, err error) {
	if len(entries) == 1 {
		receipts = make([]message.Receipt, 1)
		receipts[0], err = a.publisher.Publish(ctx, entries[0])
	} else {
		receipts, err = a.publisher.PublishAll(ctx, entries)
	}
	if err != nil {
		return nil, unavailable(err)
	}
	for _, r := range receipts {
		a.acked.raise(r.Seq)
	}
	return receipts, nil
}

// Acked returns the highest sequence that this process has acknowledged, 0 before
// the first. A reader who waits for it sees everything that was accepted here.
func (a *Acceptor) Acked() uint64 { return a.acked.Load() }

// Refused counts a delivery that was refused before it could be accepted.
func (a *Acceptor) Refused(s source.Source, r Result) { a.counters.add(s, r) }
