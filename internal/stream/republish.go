package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/pkg/message"
)

// ErrSubject is returned for a subject on which entries must not be published
// again, or cannot be.
var ErrSubject = errors.New("not a subject to publish on")

const (
	// republishPending is how many acks of another stream may be outstanding; a
	// server drops what comes behind ten thousand.
	republishPending = 4096
	republishStall   = 30 * time.Second

	// republishFlush is how many publishes that nobody acknowledges go before the
	// server is asked whether it has them.
	republishFlush = 1000
)

// Republisher publishes entries for other consumers, on a subject of theirs. Where
// a stream of theirs takes that subject it waits for the stream's acks; where none
// does, those who listen get the entries and nobody keeps them.
type Republisher struct {
	conn    *Conn
	js      jetstream.JetStream
	subject string
	stream  string // that takes the subject, "" when none does
	count   int
	failed  chan error
}

// NewRepublisher returns a Republisher on a subject. ErrSubject: it has wildcards,
// or is ours or the server's.
func NewRepublisher(ctx context.Context, conn *Conn, subject string) (*Republisher, error) {
	if err := checkSubject(subject); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	name, err := conn.js.StreamNameBySubject(ctx, subject)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("who takes %s: %w", subject, err)
	}
	r := &Republisher{conn: conn, subject: subject, stream: name, failed: make(chan error, 1)}
	r.js, err = jetstream.New(conn.nc, jetstream.WithPublishAsyncMaxPending(republishPending),
		jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, _ *nats.Msg, err error) {
			select {
			case r.failed <- err:
			default:
			}
		}))
	return r, err
}

// checkSubject says why a subject will not do.
func checkSubject(subject string) error {
	first, _, _ := strings.Cut(subject, ".")
	switch {
	case !isVisible(subject) || strings.ContainsAny(subject, "*>"):
		return fmt.Errorf("%w: %q must be visible characters without * and >", ErrSubject, subject)
	case strings.HasPrefix(subject, ".") || strings.HasSuffix(subject, ".") || strings.Contains(subject, ".."):
		return fmt.Errorf("%w: %q has an empty part", ErrSubject, subject)
	case first+"." == subjectPrefix || first == "sluice" || first == "_INBOX" || strings.HasPrefix(first, "$"):
		return fmt.Errorf("%w: %q begins with %q, which is taken", ErrSubject, subject, first)
	}
	return nil
}

// Stream returns the name of the stream that takes the subject, "" when none does.
func (r *Republisher) Stream() string { return r.stream }

// Publish publishes an entry's bytes with its id and source as headers. Whether it
// arrived Flush tells.
func (r *Republisher) Publish(ctx context.Context, e message.Entry) error {
	msg, err := newMsg(e)
	if err != nil {
		return err
	}
	msg.Subject = r.subject
	msg.Header.Set(sourceHeader, e.Source)
	if r.stream != "" {
		_, err = r.js.PublishMsgAsync(msg, jetstream.WithStallWait(republishStall))
		return err
	}
	if err := r.conn.nc.PublishMsg(msg); err != nil {
		return err
	}
	if r.count++; r.count%republishFlush == 0 {
		return r.Flush(ctx)
	}
	return nil
}

// sourceHeader names the source, which on our own stream the subject does.
const sourceHeader = "Sluice-Source"

// Flush returns once everything published has arrived: in the stream that takes
// the subject, or at the server where none does.
func (r *Republisher) Flush(ctx context.Context) error {
	if r.stream == "" {
		ctx, cancel := context.WithTimeout(ctx, republishStall)
		defer cancel()
		return r.conn.nc.FlushWithContext(ctx)
	}
	select {
	case <-r.js.PublishAsyncComplete():
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-r.failed:
		return fmt.Errorf("stream %s: %w", r.stream, err)
	default:
		return nil
	}
}
