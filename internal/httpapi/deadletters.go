package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"sluice/pkg/contract"
	"sluice/pkg/message"
)

var (
	// ErrNoWriter is what AskWriter returns when no writer takes requests.
	ErrNoWriter = errors.New("no writer answers; it does once it runs")

	errNeedsToken   = errors.New("this needs OPERATOR_TOKEN to be set, so that it is known who asks")
	errWriterRefuse = errors.New("the writer has not done it")
)

// shownBytes is how much of a dead letter's bytes a list shows.
const shownBytes = 4096

// writerTimeout bounds a request to the writer.
const writerTimeout = 10 * time.Second

// getDeadLetters answers GET /dead-letters.
func (s *Server) getDeadLetters(c *fiber.Ctx) error {
	letters, err := s.cfg.Query.DeadLetters(s.base, shownBytes)
	if err != nil {
		return err
	}
	body := contract.DeadLetters{Data: make([]contract.DeadLetter, len(letters)), Total: int64(len(letters))}
	for i, d := range letters {
		body.Data[i] = contract.DeadLetter{
			Sequence: d.Seq, CreatedAt: contract.Instant(d.CreatedAt), Source: d.Source,
			Reason: d.Reason, Bytes: d.Bytes, Data: d.Data,
		}
	}
	if status := s.cfg.Pipeline.Status(s.base); status.StoreErr == nil {
		body.Total = max(body.Total, status.Store.DeadLetters)
	}
	return answer(c, body)
}

// postDeadLetter asks the writer to do something with the dead letter at a
// sequence: this process cannot write the database.
func (s *Server) postDeadLetter(command string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if s.cfg.Guard == nil {
			return errNeedsToken
		}
		seq, err := strconv.ParseUint(c.Params("sequence"), 10, 64)
		if err != nil {
			return message.ErrNotFound
		}
		done, err := s.askWriter(command, contract.DeadLettersRequest{Sequences: []uint64{seq}})
		if err != nil {
			return err
		}
		if len(done.Unknown) > 0 {
			return message.ErrNotFound
		}
		return answer(c, done)
	}
}

func (s *Server) askWriter(command string, request contract.DeadLettersRequest) (done contract.DeadLettersAnswer, err error) {
	ctx, cancel := context.WithTimeout(s.base, writerTimeout)
	defer cancel()
	data, err := s.cfg.AskWriter(ctx, command, encode(request))
	if err != nil {
		return done, err
	}
	if err := json.Unmarshal(data, &done); err != nil {
		return done, fmt.Errorf("the writer's answer: %w", err)
	}
	if done.Error != "" {
		return done, fmt.Errorf("%w: %s", errWriterRefuse, done.Error)
	}
	return done, nil
}
