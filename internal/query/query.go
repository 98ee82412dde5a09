// Package query answers operators: it reads the parameters of a question, waits
// until the database holds what this process has acknowledged, and asks. It
// refuses to know how the database does it and how a question came in.
package query

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"sluice/pkg/message"
)

// Config is what a Service is made of.
type Config struct {
	Reader Reader
	Acked  func() uint64 // the highest sequence that this process has acknowledged

	// ReadWait is the longest that a question waits for Acked to be applied.
	// 0 = it never waits.
	ReadWait time.Duration

	// Timeout bounds one question, waiting included. 0 = 10 seconds.
	Timeout time.Duration
}

const defaultTimeout = 10 * time.Second

// Service answers questions, of several goroutines at once. Its errors are the
// Reader's, and context.DeadlineExceeded when the database took too long.
type Service struct {
	reader  Reader
	waiter  *waiter
	timeout time.Duration
}

// New returns a Service.
func New(cfg Config) *Service {
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	return &Service{
		reader:  cfg.Reader,
		waiter:  &waiter{reader: cfg.Reader, acked: cfg.Acked, longest: cfg.ReadWait},
		timeout: cfg.Timeout,
	}
}

// Messages returns a page, as ParseMessages understood the question.
func (s *Service) Messages(ctx context.Context, q MessagesQuery) (message.Page, error) {
	ctx, cancel := s.begin(ctx, q.AfterSeq)
	defer cancel()
	page, err := s.reader.Messages(ctx, q.Page)
	return page, explain(ctx, err)
}

// Message returns the message with that id, all that is known of it, and the checkpoint's sequence, or
// message.ErrNotFound. It waits for afterSeq too.
func (s *Service) Message(ctx context.Context, id string, afterSeq uint64) (message.Detail, uint64, error) {
	if id == "" || len(id) > message.MaxIDBytes || !utf8.ValidString(id) {
		return message.Detail{}, 0, message.ErrNotFound // nobody can have such an id
	}
	ctx, cancel := s.begin(ctx, afterSeq)
	defer cancel()
	detail, applied, err := s.reader.Message(ctx, id)
	return detail, applied, explain(ctx, err)
}

// Stats counts the messages. It waits for afterSeq too.
func (s *Service) Stats(ctx context.Context, afterSeq uint64) (message.Stats, error) {
	ctx, cancel := s.begin(ctx, afterSeq)
	defer cancel()
	stats, err := s.reader.Stats(ctx)
	return stats, explain(ctx, err)
}

func (s *Service) begin(ctx context.Context, afterSeq uint64) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	s.waiter.wait(ctx, afterSeq)
	return ctx, cancel
}

// explain adds that the question ran out of time to what became of it: a database
// that was interrupted may have other words for it.
func explain(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}
