package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"time"

	"sluice/internal/config"
	"sluice/internal/store"
	"sluice/internal/stream"
	"sluice/pkg/message"
)

// command is one thing that an operator asks for, beside running the writer.
type command struct {
	name string
	does string // one line
	help string // what "-h" says, before the options

	// prepare declares the options; run is called once they are read.
	prepare func(o *operation) (run func(ctx context.Context, args []string) error)
}

// commands in the order in which help lists them.
var commands = []command{rebuildCommand, snapshotCommand, verifyCommand, replayCommand, deadLettersCommand}

// operation is one run of a command.
type operation struct {
	settings       settings
	environ        map[string]string // what settings were read from
	flags          *flag.FlagSet
	json           bool
	stdout, stderr io.Writer
	log            *slog.Logger
}

// usageError is a command used in a way that cannot be.
type usageError string

func (e usageError) Error() string { return string(e) }

// errSaid ends a command with exit code 1 that has said why already.
var errSaid = errors.New("see above")

// start runs the command.
func (c *command) start(ctx context.Context, args []string, environ map[string]string, stdout, stderr io.Writer) (exit int) {
	o := &operation{environ: environ, flags: flag.NewFlagSet(c.name, flag.ContinueOnError), stdout: stdout, stderr: stderr}
	o.log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	o.flags.SetOutput(io.Discard)
	o.flags.BoolVar(&o.json, "json", false, "print JSON, one object a line")
	run := c.prepare(o)
	positional, err := parse(o.flags, args)
	if errors.Is(err, flag.ErrHelp) {
		c.usage(o, stdout)
		return exitDone
	}
	if err == nil {
		err = config.Load(&o.settings, environ)
	}
	if err == nil {
		err = o.settings.validate()
	}
	if err != nil {
		fmt.Fprintf(stderr, "writer %s: %v\n", c.name, err)
		return exitUsage
	}

	err = run(ctx, positional)
	var wrong usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &wrong):
		fmt.Fprintf(stderr, "writer %s: %v\n\n", c.name, err)
		c.usage(o, stderr)
		return exitUsage
	case !errors.Is(err, errSaid):
		fmt.Fprintf(stderr, "writer %s: %v\n", c.name, err)
	}
	return exitFailed
}

func (c *command) usage(o *operation, w io.Writer) {
	fmt.Fprintf(w, "%s\nOptions:\n\n", c.help)
	o.flags.SetOutput(w)
	o.flags.PrintDefaults()
}

// parse reads options wherever they stand and returns the other arguments.
func parse(flags *flag.FlagSet, args []string) (positional []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			return positional, nil
		}
		positional, args = append(positional, flags.Arg(0)), flags.Args()[1:]
	}
}

// print writes v as a line of JSON.
func (o *operation) print(v any) error { return json.NewEncoder(o.stdout).Encode(v) }

// reachTimeout is how long a command tries to reach the stream.
const reachTimeout = 15 * time.Second

// connect connects to the stream and returns its state. A command does not wait
// for a stream that is away, as the writer does.
func (o *operation) connect(ctx context.Context, as string) (*stream.Conn, message.StreamStatus, error) {
	conn, err := stream.Connect(stream.ConnConfig{
		URL: string(o.settings.NATSURL), Token: o.settings.NATSToken, Name: "writer " + string(o.settings.WriterName) + " " + as,
	}, o.log)
	if err != nil {
		return nil, message.StreamStatus{}, err
	}
	status, err := statusSoon(ctx, conn)
	if err != nil {
		conn.Close()
		return nil, status, err
	}
	return conn, status, nil
}

// statusSoon returns the stream's status, for which it waits reachTimeout.
func statusSoon(ctx context.Context, conn *stream.Conn) (message.StreamStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	for {
		err := conn.Wait(ctx) // which knows why there is no connection
		if err == nil {
			var status message.StreamStatus
			if status, err = conn.Status(ctx); err == nil {
				return status, nil
			}
		}
		if ctx.Err() != nil {
			return message.StreamStatus{}, fmt.Errorf("the stream cannot be reached (NATS_URL, NATS_TOKEN): %w", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// reader opens the database for reading; the caller closes it.
func (o *operation) reader() *store.Reader {
	return store.OpenReader(store.ReaderConfig{Path: o.settings.DatabaseURL.Path()})
}
