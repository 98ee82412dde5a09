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

// requestTimeout bounds one request to the server.
const requestTimeout = 5 * time.Second

// newEntry makes an entry of what the server gave out. data becomes the entry's.
func newEntry(seq uint64, at time.Time, subject string, h nats.Header, data []byte) message.Entry {
	return message.Entry{
		Seq:        seq,
		AcceptedAt: at.UTC(),
		MsgID:      h.Get(jetstream.MsgIDHeader),
		Source:     strings.TrimPrefix(subject, subjectPrefix),
		RequestID:  h.Get(requestIDHeader),
		Trace:      h.Get(traceHeader),
		Data:       data,
	}
}

// entry returns the entry at seq, or message.ErrNoEntry.
func (c *Conn) entry(ctx context.Context, seq uint64) (message.Entry, error) {
	if seq == 0 {
		return message.Entry{}, message.ErrNoEntry
	}
	return c.get(ctx, seq)
}

// entryFrom returns the first entry at or behind seq, or message.ErrNoEntry.
func (c *Conn) entryFrom(ctx context.Context, seq uint64) (message.Entry, error) {
	return c.get(ctx, max(seq, 1), jetstream.WithGetMsgSubject(subjectPrefix+">"))
}

func (c *Conn) get(ctx context.Context, seq uint64, opts ...jetstream.GetMsgOpt) (message.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	s, err := c.js.Stream(ctx, Name)
	if err != nil {
		return message.Entry{}, fmt.Errorf("look up stream %s: %w", Name, err)
	}
	m, err := s.GetMsg(ctx, seq, opts...)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return message.Entry{}, message.ErrNoEntry
	}
	if err != nil {
		return message.Entry{}, fmt.Errorf("read entry %d: %w", seq, err)
	}
	return newEntry(m.Sequence, m.Time, m.Subject, m.Header, m.Data), nil
}
