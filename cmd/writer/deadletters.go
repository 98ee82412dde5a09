package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"sluice/internal/store"
	"sluice/internal/writer"
	"sluice/pkg/contract"
	"sluice/pkg/message"
)

var deadLettersCommand = command{
	name: "dead-letters",
	does: "list, show, retry or discard what could not be decoded",
	help: `Usage: writer dead-letters list
       writer dead-letters show SEQUENCE
       writer dead-letters retry SEQUENCE… | --all
       writer dead-letters discard SEQUENCE… | --all

Dead letters are entries of the stream that could not be decoded. They block nobody and are kept aside.

retry decodes them again, after an upgrade say. What can be decoded now is applied at its own place in the
stream, with its own time of acceptance. Exit code 1 when some remain.
discard removes them from the database. The stream keeps its entries, so a rebuild brings them back.
`,
	prepare: func(o *operation) func(context.Context, []string) error {
		all := o.flags.Bool("all", false, "retry, discard: every dead letter")
		return func(ctx context.Context, args []string) error { return o.deadLetters(ctx, args, *all) }
	},
}

func (o *operation) deadLetters(ctx context.Context, args []string, all bool) error {
	if len(args) == 0 {
		return usageError("list, show, retry or discard?")
	}
	verb := args[0]
	seqs, err := sequences(args[1:])
	if err != nil {
		return err
	}
	switch {
	case verb == "list" && len(seqs) == 0:
		return o.listDeadLetters(ctx)
	case verb == "show" && len(seqs) == 1:
		return o.showDeadLetter(ctx, seqs[0])
	case verb != "retry" && verb != "discard":
		return usageError(fmt.Sprintf("%q with %d sequences is not something to do", verb, len(seqs)))
	case all == (len(seqs) > 0):
		return usageError("name the sequences, or say --all")
	}
	a, err := o.changeDeadLetters(ctx, verb, contract.DeadLettersRequest{Sequences: seqs, All: all})
	if err != nil {
		return err
	}
	return o.tellDeadLetters(verb, &a)
}

func sequences(args []string) (seqs []uint64, err error) {
	for _, arg := range args {
		seq, err := strconv.ParseUint(arg, 10, 64)
		if err != nil || seq == 0 {
			return nil, usageError(fmt.Sprintf("%q is not a sequence", arg))
		}
		seqs = append(seqs, seq)
	}
	return seqs, nil
}

// deadLetterLine is a dead letter in JSON. Its bytes may be no text.
type deadLetterLine struct {
	Sequence  uint64 `json:"sequence"`
	CreatedAt string `json:"created_at"`
	Source    string `json:"source"`
	Reason    string `json:"reason"`
	Bytes     int    `json:"bytes"`
	Data      []byte `json:"data,omitempty"` // base64, of show
}

func lineOf(d *message.DeadLetter) deadLetterLine {
	return deadLetterLine{Sequence: d.Seq, CreatedAt: contract.Instant(d.CreatedAt), Source: d.Source, Reason: d.Reason, Bytes: len(d.Data)}
}

func (o *operation) listDeadLetters(ctx context.Context) error {
	reader := o.reader()
	defer reader.Close()
	table := tabwriter.NewWriter(o.stdout, 0, 0, 2, ' ', 0)
	count := 0
	err := reader.DeadLetters(ctx, func(d message.DeadLetter) error {
		count++
		line := lineOf(&d)
		if o.json {
			return o.print(line)
		}
		if count == 1 {
			fmt.Fprintln(table, "SEQUENCE\tACCEPTED\tSOURCE\tBYTES\tREASON")
		}
		_, err := fmt.Fprintf(table, "%d\t%s\t%s\t%d\t%s\n", line.Sequence, d.CreatedAt.Format(time.RFC3339), line.Source, line.Bytes, line.Reason)
		return err
	})
	if err == nil && count == 0 && !o.json {
		fmt.Fprintln(o.stdout, "no dead letters")
	}
	return errors.Join(err, table.Flush())
}

func (o *operation) showDeadLetter(ctx context.Context, seq uint64) error {
	reader := o.reader()
	defer reader.Close()
	d, err := reader.DeadLetter(ctx, seq)
	if errors.Is(err, message.ErrNotFound) {
		return fmt.Errorf("there is no dead letter at sequence %d", seq)
	}
	if err != nil {
		return err
	}
	line := lineOf(&d)
	if o.json {
		line.Data = d.Data
		return o.print(line)
	}
	_, err = fmt.Fprintf(o.stdout, "sequence  %d\naccepted  %s\nsource    %s\nreason    %s\nbytes     %d\n\n%s\n",
		line.Sequence, line.CreatedAt, line.Source, line.Reason, line.Bytes, strconv.QuoteToGraphic(string(d.Data)))
	return err
}

// changeDeadLetters asks the running writer, or does it itself where none runs.
func (o *operation) changeDeadLetters(ctx context.Context, verb string, req contract.DeadLettersRequest) (a contract.DeadLettersAnswer, err error) {
	reader := o.reader()
	defer reader.Close()
	if reader.WriterPresent() {
		conn, _, err := o.connect(ctx, "dead-letters")
		if err != nil {
			return a, err
		}
		defer conn.Close()
		if a, err = askRunning[contract.DeadLettersAnswer](ctx, o, conn, "dead_letters."+verb, req); !errors.Is(err, errNoWriter) {
			return a, err
		}
	}

	if _, err := reader.Status(ctx); err != nil {
		return a, err // it would be made
	}
	database, err := store.Open(ctx, store.Config{Path: o.settings.DatabaseURL.Path(), Logger: o.log})
	if err != nil {
		return a, err
	}
	if verb == "retry" {
		var done message.Retried
		done, err = writer.RetryDeadLetters(ctx, database, req.Sequences)
		a = retryAnswer(&done)
	} else {
		a.Discarded, a.Unknown, err = database.DiscardDeadLetters(ctx, req.Sequences)
	}
	return a, errors.Join(err, database.Sync(ctx), database.Close())
}

func (o *operation) tellDeadLetters(verb string, a *contract.DeadLettersAnswer) error {
	if o.json {
		if err := o.print(a); err != nil {
			return err
		}
	} else {
		var said []string
		say := func(n int, what string) {
			if n > 0 {
				said = append(said, fmt.Sprintf("%d %s", n, what))
			}
		}
		say(a.Inserted, "inserted")
		say(a.Statuses, "statuses of messages")
		say(a.Duplicates, "known already")
		say(a.Conflicts, "known with another content, which stays")
		say(a.Discarded, "discarded")
		say(a.Remaining, "dead letters still")
		say(len(a.Unknown), "not there")
		if said == nil {
			said = []string{"nothing to " + verb}
		}
		fmt.Fprintln(o.stdout, strings.Join(said, ", "))
		for _, r := range a.Reasons {
			fmt.Fprintf(o.stdout, "  %d: %s\n", r.Sequence, r.Reason)
		}
	}
	if a.Remaining > 0 || len(a.Unknown) > 0 {
		return errSaid
	}
	return nil
}
