package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/internal/store"
	"sluice/internal/stream"
	"sluice/pkg/message"
)

var replayCommand = command{
	name: "replay",
	does: "publish chosen messages again, on a subject of another consumer",
	help: `Usage: writer replay --to-subject SUBJECT [--since INSTANT] [--until INSTANT] [--from NUMBER] [--to NUMBER] [--dry-run]

Takes messages from the database, in order of their ts, and publishes each on a NATS subject with what the stream
held of it, its Nats-Msg-Id and its source (Sluice-Source). The filters are those of GET /messages. It counts first;
--dry-run leaves it at that.

Where a JetStream stream takes the subject, every message is acknowledged by it, and its dedup window drops
what a second run repeats. Where none does, only those who listen at that moment get them.
`,
	prepare: func(o *operation) func(context.Context, []string) error {
		r := &replay{operation: o}
		o.flags.StringVar(&r.subject, "to-subject", "", "publish on this `SUBJECT`, which is none of webhooks.>")
		o.flags.StringVar(&r.since, "since", "", "ts from this `INSTANT` on, RFC 3339 in UTC")
		o.flags.StringVar(&r.until, "until", "", "ts before this `INSTANT`")
		o.flags.StringVar(&r.from, "from", "", "of this sender `NUMBER`")
		o.flags.StringVar(&r.to, "to", "", "for this recipient `NUMBER`")
		o.flags.BoolVar(&r.dryRun, "dry-run", false, "only count")
		return func(ctx context.Context, args []string) error {
			if len(args) > 0 {
				return usageError("it takes no arguments")
			}
			return r.run(ctx)
		}
	},
}

// replay is one run of the command.
type replay struct {
	*operation
	subject, since, until, from, to string
	dryRun                          bool
}

// replayLine is what was published, in JSON.
type replayLine struct {
	Subject   string `json:"subject"`
	Stream    string `json:"stream"` // that took them, empty when none does
	Matching  int64  `json:"matching"`
	Published int64  `json:"published"`
	DryRun    bool   `json:"dry_run"`
}

func (r *replay) filter() (f message.Filter, err error) {
	for _, number := range []struct{ name, text string }{{"--from", r.from}, {"--to", r.to}} {
		if number.text != "" && !message.ValidMSISDN(number.text) {
			return f, usageError(fmt.Sprintf("%s %q is no number such as +14155550100", number.name, number.text))
		}
	}
	f.From, f.To = r.from, r.to
	for _, bound := range []struct {
		name, text string
		at         **time.Time
	}{{"--since", r.since, &f.Since}, {"--until", r.until, &f.Until}} {
		if bound.text == "" {
			continue
		}
		at, ok := message.ParseInstant(bound.text)
		if !ok {
			return f, usageError(fmt.Sprintf("%s %q is no instant such as 2025-01-15T10:00:00Z", bound.name, bound.text))
		}
		*bound.at = &at
	}
	if f.Since != nil && f.Until != nil && !f.Since.Before(*f.Until) {
		return f, usageError(fmt.Sprintf("there is nothing from %s to before %s", r.since, r.until))
	}
	return f, nil
}

// replayRows is how many messages are read at a time.
const replayRows = 500

func (r *replay) run(ctx context.Context) error {
	filter, err := r.filter()
	if err != nil {
		return err
	}
	if r.subject == "" {
		return usageError("on which subject? --to-subject")
	}
	conn, _, err := r.connect(ctx, "replay")
	if err != nil {
		return err
	}
	defer conn.Close()
	publisher, err := stream.NewRepublisher(ctx, conn, r.subject)
	if errors.Is(err, stream.ErrSubject) {
		return usageError(err.Error())
	}
	if err != nil {
		return err
	}
	reader := r.reader()
	defer reader.Close()
	page, err := reader.Messages(ctx, message.PageRequest{Filter: filter, Limit: 1})
	if err != nil {
		return err
	}
	line := replayLine{Subject: r.subject, Stream: publisher.Stream(), Matching: page.Total, DryRun: r.dryRun}
	if !r.dryRun {
		bar := r.newProgress()
		bar.phase("publish", "messages")
		line.Published, err = r.publish(ctx, publisher, reader, filter, page.Applied, func(done int64) { bar.show(done, line.Matching) })
		bar.end()
		if err != nil {
			return fmt.Errorf("after %d messages, of which the last may not have arrived: %w", line.Published, err)
		}
	}
	return r.tell(&line)
}

// publish publishes what the database had of the filter's messages when they were
// counted: nothing behind the sequence applied.
func (r *replay) publish(ctx context.Context, to *stream.Republisher, reader *store.Reader, filter message.Filter, applied uint64,
	progress func(done int64)) (done int64, err error) {
	for req := (message.StretchRequest{Filter: filter, Limit: replayRows}); ; {
		stretch, err := reader.Stretch(ctx, req)
		if err != nil {
			return done, err
		}
		for i := range stretch.Records {
			if stretch.Records[i].Seq > applied {
				continue
			}
			if err := r.publishOne(ctx, to, reader, stretch.Records[i].ID); err != nil {
				return done, err
			}
			done++
		}
		progress(done)
		if stretch.Next == nil {
			return done, to.Flush(ctx)
		}
		req.After = stretch.Next
	}
}

// publishOne publishes a message with all that its sender told.
func (r *replay) publishOne(ctx context.Context, to *stream.Republisher, reader *store.Reader, id string) error {
	m, _, err := reader.Message(ctx, id)
	if err != nil {
		return err
	}
	data, err := message.Marshal(&m.Message)
	if err != nil {
		return err
	}
	return to.Publish(ctx, message.Entry{MsgID: message.MsgID(m.Source, m.ID), Source: m.Source, Data: data})
}

func (r *replay) tell(l *replayLine) error {
	if r.json {
		return r.print(l)
	}
	takes := "no stream takes the subject: who does not listen gets nothing"
	if l.Stream != "" {
		takes = "stream " + l.Stream + " takes the subject"
	}
	did := fmt.Sprintf("%d published", l.Published)
	if l.DryRun {
		did = "none published"
	}
	_, err := fmt.Fprintf(r.stdout, "%s: %d messages match, %s; %s\n", l.Subject, l.Matching, did, takes)
	return err
}
