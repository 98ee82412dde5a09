// Command api takes webhooks, makes them durable in the stream, and answers
// queries from the writer's database.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"sluice/internal/config"
	"sluice/internal/ops"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(program(ctx, os.Args[1:], config.Environment(), os.Stdout, os.Stderr))
}

// program is all of it. The world comes in as arguments, so that a test can
// start it; ctx ends when the program is to stop.
func program(ctx context.Context, args []string, environ map[string]string, stdout, stderr io.Writer) (exit int) {
	if len(args) == 0 {
		return serve(ctx, environ, stdout, stderr)
	}
	switch args[0] {
	case "version":
		fmt.Fprintln(stdout, "api", ops.Build())
		return exitDone
	case "send":
		return sendCommand(ctx, args[1:], environ, os.Stdin, stdout, stderr)
	case "healthcheck":
		return healthcheck(ctx, args[1:], environ, stdout, stderr)
	case "-h", "--help", "help":
		usage(stdout)
		return exitDone
	}
	fmt.Fprintf(stderr, "api: unknown command %q\n\n", args[0])
	usage(stderr)
	return exitUsage
}

func usage(w io.Writer) {
	fmt.Fprint(w, `api takes signed webhooks, makes them durable, and answers queries.

  api              run it
  api healthcheck  ask the api that runs here whether it is ready ("live", "ready/ingest", "ready/query": only that)
  api send         sign messages and post them, for trying things out
  api version      say what it was built from
  api help         this page

Configuration comes from the environment:

`)
	_ = config.WriteTable(w, &settings{}) // a terminal that went away needs no help
}

// serve runs the api until ctx ends.
func serve(ctx context.Context, environ map[string]string, stdout, stderr io.Writer) (exit int) {
	var s settings
	err := config.Load(&s, environ)
	if err == nil {
		err = s.validate()
	}
	if err != nil {
		fmt.Fprintln(stderr, "api:", err)
		return exitUsage
	}
	log, flush := ops.NewLogger(stdout, s.LogLevel)
	defer flush()
	log.Info("starting", "version", ops.Version(), "configuration", config.Attrs(&s))

	if err := runServices(ctx, &s, environ, log); err != nil {
		log.Error("stopped", "error", err)
		fmt.Fprintln(stderr, "api:", err)
		return exitFailed
	}
	log.Info("stopped")
	return exitDone
}
