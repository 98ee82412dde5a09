package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"time"

	"sluice/internal/rebuild"
	"sluice/internal/store"
	"sluice/internal/stream"
	"sluice/pkg/contract"
	"sluice/pkg/message"
)

var rebuildCommand = command{
	name: "rebuild",
	does: "make the database anew from the stream, while everything runs",
	help: `Usage: writer rebuild [--from SNAPSHOT] [--accept-loss]

Replays the stream into a new file beside the database, catches up with the running writer, has it wait a moment
and puts the new database in the old one's place. Webhooks are accepted and queries answered all the while. It
works without a running writer too. Interrupted at any point, the old database stays in service; what is left of
the new one is removed by the next rebuild or start of the writer.

What the stream has trimmed, and rows of an earlier stream, are carried over from the old database, or come from a
snapshot where there is none. A rebuild that would lose rows stops and says why.

It needs room for a second database on the disk, and stops before the disk is full.
`,
	prepare: func(o *operation) func(context.Context, []string) error {
		from := o.flags.String("from", "", "begin with a `SNAPSHOT` instead of an empty database")
		acceptLoss := o.flags.Bool("accept-loss", false, "go on although rows of the old database are lost")
		return func(ctx context.Context, args []string) error {
			if len(args) > 0 {
				return usageError("it takes no arguments")
			}
			return o.rebuild(ctx, *from, *acceptLoss)
		}
	},
}

// rebuildLine is what was rebuilt, in JSON.
type rebuildLine struct {
	Database string  `json:"database"` // the file now in service
	Entries  int64   `json:"entries"`
	Carried  int64   `json:"carried"`
	Before   int64   `json:"messages_before"`
	Messages int64   `json:"messages"`
	Lost     int64   `json:"lost"`
	Sequence uint64  `json:"applied_sequence"`
	Seconds  float64 `json:"seconds"`
}

// rebuildGCPercent is the collector's for a rebuild, unless GOGC says another: a tenth
// faster than with 100, for some 100 MiB.
const rebuildGCPercent = 300

func (o *operation) rebuild(ctx context.Context, from string, acceptLoss bool) (err error) {
	began := time.Now()
	if o.environ["GOGC"] == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(rebuildGCPercent))
	}
	conn, _, err := o.connect(ctx, "rebuild")
	if err != nil {
		return err
	}
	defer conn.Close()
	bar := o.newProgress()
	defer bar.end()
	if from != "" {
		bar.phase("copy", "pages")
	}
	path := o.settings.DatabaseURL.Path()
	made, err := store.NewGeneration(ctx, store.GenerationConfig{
		Config: store.Config{Path: path, Logger: o.log}, From: from, Progress: bar.show,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, made.Close()) }()

	plan := rebuild.Plan{
		Stream: stream.NewReplayer(conn), State: func(ctx context.Context) (message.StreamState, error) { return reach(ctx, conn) }, New: made, AcceptLoss: acceptLoss,
		HandOver: func(ctx context.Context) error { return o.handOver(ctx, conn) },
		Phase:    bar.phase, Progress: bar.show,
	}
	reader := store.OpenReader(store.ReaderConfig{Path: path, History: true})
	defer reader.Close()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		plan.Old = reader
		_, plan.OldErr = reader.Status(ctx)
	}
	result, err := rebuild.Run(ctx, plan)
	bar.end()
	// The writer goes on at once, with whichever database is in service now.
	if released := made.Release(); err == nil {
		err = released
	}
	o.takeBack(conn)
	if err != nil {
		return err
	}
	return o.tellRebuild(rebuildLine{
		Database: made.Path(), Entries: result.Entries, Carried: result.Carried, Before: result.Before, Messages: result.After,
		Lost: result.Lost, Sequence: result.Applied, Seconds: time.Since(began).Seconds(),
	})
}

// handOver asks the writer of that name to close the database, if there is one.
// TakeOver then waits for the lock, whoever has it.
func (o *operation) handOver(ctx context.Context, conn *stream.Conn) error {
	_, err := askRunning[contract.HandOverAnswer](ctx, o, conn, contract.CommandHandOver,
		contract.HandOverRequest{Database: o.settings.DatabaseURL.Path()})
	if errors.Is(err, errNoWriter) {
		return nil
	}
	return err
}

// takeBack tells the writer that it need not wait any longer. One that does not
// hear it waits a moment more.
func (o *operation) takeBack(conn *stream.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	_, _ = ask[contract.WriterError](ctx, conn, string(o.settings.WriterName), contract.CommandTakeBack, contract.TakeBackRequest{})
}

func (o *operation) tellRebuild(l rebuildLine) error {
	if o.json {
		return o.print(l)
	}
	lost := ""
	if l.Lost > 0 {
		lost = fmt.Sprintf(", %d lost", l.Lost)
	}
	_, err := fmt.Fprintf(o.stdout, "%s: %d messages up to sequence %d (%d before%s), from %d entries and %d rows carried over, in %.1f s, %.0f rows/s\n",
		l.Database, l.Messages, l.Sequence, l.Before, lost, l.Entries, l.Carried, l.Seconds, float64(l.Messages)/max(l.Seconds, 0.001))
	return err
}

// reach returns the stream's state, and waits a while for one that is away.
func reach(ctx context.Context, conn *stream.Conn) (message.StreamState, error) {
	status, err := statusSoon(ctx, conn)
	return status.StreamState, err
}
