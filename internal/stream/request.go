package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"sluice/pkg/message"
)

// ErrNobody is returned by Request when nobody answers on the subject. A retry
// helps once somebody does.
var ErrNobody = errors.New("nobody answers there")

// Request sends a request over the stream's server to whoever Answers on a
// subject, and returns the answer. When the connection is lost meanwhile
// (message.ErrDisconnected), whether the request was done is unknown.
func (c *Conn) Request(ctx context.Context, subject string, data []byte) ([]byte, error) {
	session, end, err := c.session()
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", subject, err)
	}
	defer end()
	within, cancel := during(ctx, session)
	defer cancel()
	msg, err := c.nc.RequestWithContext(within, subject, data)
	switch {
	case err == nil:
		return msg.Data, nil
	case errors.Is(err, nats.ErrNoResponders):
		err = ErrNobody
	case ctx.Err() == nil && session.Err() != nil:
		err = message.ErrDisconnected
	}
	return nil, fmt.Errorf("ask %s: %w", subject, err)
}

// Answer answers requests on a subject with what f returns, one at a time, for
// as long as the connection is not closed; it survives reconnects. f's ctx ends
// when ctx does.
func (c *Conn) Answer(ctx context.Context, subject string, f func(ctx context.Context, data []byte) []byte) error {
	_, err := c.nc.Subscribe(subject, func(msg *nats.Msg) {
		if err := msg.Respond(f(ctx, msg.Data)); err != nil {
			c.log.Warn("a request was not answered", "subject", subject, "error", err)
		}
	})
	if err != nil {
		return fmt.Errorf("answer on %s: %w", subject, err)
	}
	return nil
}
