package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"sluice/internal/stream"
	"sluice/internal/writer"
	"sluice/pkg/contract"
	"sluice/pkg/message"
)

// answerTimeout bounds how long a request waits for the writer to be between two
// batches.
const answerTimeout = 10 * time.Second

// answerCommands has w answer what pkg/contract says that a running writer does.
func answerCommands(ctx context.Context, conn *stream.Conn, name string, w *writer.Writer, log *slog.Logger) error {
	return errors.Join(
		answer(ctx, conn, name, contract.CommandRetryDeadLetters,
			func(ctx context.Context, req *contract.DeadLettersRequest, a *contract.DeadLettersAnswer) error {
				return changeDeadLetters(ctx, req, a, func(ctx context.Context, seqs []uint64) error {
					done, err := w.RetryDeadLetters(ctx, seqs)
					*a = retryAnswer(&done)
					return err
				})
			}),
		answer(ctx, conn, name, contract.CommandDiscardDeadLetters,
			func(ctx context.Context, req *contract.DeadLettersRequest, a *contract.DeadLettersAnswer) error {
				return changeDeadLetters(ctx, req, a, func(ctx context.Context, seqs []uint64) (err error) {
					a.Discarded, a.Unknown, err = w.DiscardDeadLetters(ctx, seqs)
					return err
				})
			}),
		answer(ctx, conn, name, contract.CommandHandOver,
			func(ctx context.Context, req *contract.HandOverRequest, a *contract.HandOverAnswer) (err error) {
				log.Info("asked to hand the database over", "database", req.Database)
				a.AppliedSequence, err = w.HandOver(ctx)
				return err
			}),
		answer(ctx, conn, name, contract.CommandTakeBack,
			func(context.Context, *contract.TakeBackRequest, *contract.WriterError) error {
				w.TakeBack()
				return nil
			}),
	)
}

// answer answers one command: JSON in, JSON out.
func answer[Request, Answer any](ctx context.Context, conn *stream.Conn, name, command string,
	f func(context.Context, *Request, *Answer) error) error {
	return conn.Answer(ctx, contract.WriterSubject(name, command), func(ctx context.Context, data []byte) []byte {
		ctx, cancel := context.WithTimeout(ctx, answerTimeout)
		defer cancel()
		var (
			req Request
			a   Answer
		)
		err := json.Unmarshal(data, &req)
		if err != nil {
			err = fmt.Errorf("read the request: %w", err)
		} else {
			err = f(ctx, &req, &a)
		}
		var answered any = a
		if err != nil {
			answered = contract.WriterError{Error: err.Error()}
		}
		b, err := json.Marshal(answered)
		if err != nil {
			panic("writer: an answer that is not JSON: " + err.Error())
		}
		return b
	})
}

// errNoSequences keeps an empty list from standing for everything.
var errNoSequences = errors.New("name the sequences, or say all")

func changeDeadLetters(ctx context.Context, req *contract.DeadLettersRequest, a *contract.DeadLettersAnswer,
	f func(context.Context, []uint64) error) error {
	if req.All == (len(req.Sequences) > 0) {
		return errNoSequences
	}
	err := f(ctx, req.Sequences)
	if a.Unknown == nil {
		a.Unknown = []uint64{}
	}
	if a.Reasons == nil {
		a.Reasons = []contract.DeadLetterReason{}
	}
	return err
}

// retryAnswer tells what became of dead letters.
func retryAnswer(done *message.Retried) contract.DeadLettersAnswer {
	a := contract.DeadLettersAnswer{
		Inserted: done.Inserted, Duplicates: done.Duplicates, Conflicts: len(done.Conflicts), Statuses: done.Statuses,
		Remaining: len(done.Remaining), Unknown: done.Unknown,
	}
	for _, d := range done.Remaining[:min(len(done.Remaining), contract.MaxReasons)] {
		a.Reasons = append(a.Reasons, contract.DeadLetterReason{Sequence: d.Seq, Reason: d.Reason})
	}
	return a
}

// comeBack is how long a writer that has the database open may leave a request
// unanswered: it may be on its way back to a stream that was restarted.
const comeBack = 5 * time.Second

// errNoWriter is returned by askRunning when no writer has the database open.
var errNoWriter = errors.New("no writer runs")

// askRunning asks the writer that has the database open.
func askRunning[Answer any](ctx context.Context, o *operation, conn *stream.Conn, command string, req any) (Answer, error) {
	reader := o.reader()
	defer reader.Close()
	for deadline := time.Now().Add(comeBack); ; {
		a, err := ask[Answer](ctx, conn, string(o.settings.WriterName), command, req)
		switch {
		case !errors.Is(err, stream.ErrNobody):
			return a, err
		case !reader.WriterPresent():
			return a, errNoWriter
		case time.Now().After(deadline):
			return a, fmt.Errorf("a writer has the database open, but none of that name answers (WRITER_NAME): %w", err)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return a, ctx.Err()
		}
	}
}

// ask asks the writer of a name.
func ask[Answer any](ctx context.Context, conn *stream.Conn, name, command string, req any) (a Answer, err error) {
	data, err := json.Marshal(req)
	if err != nil {
		return a, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*answerTimeout)
	defer cancel()
	answered, err := conn.Request(ctx, contract.WriterSubject(name, command), data)
	if err != nil {
		return a, err
	}
	var failed contract.WriterError
	if err := json.Unmarshal(answered, &failed); err != nil {
		return a, fmt.Errorf("read the writer's answer: %w", err)
	}
	if failed.Error != "" {
		return a, fmt.Errorf("the writer says: %s", failed.Error)
	}
	return a, json.Unmarshal(answered, &a)
}
