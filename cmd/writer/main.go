// Command writer releases the stream's messages, in order and exactly once, into
// the database.
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
		return follow(ctx, environ, stdout, stderr)
	}
	for _, c := range commands {
		if c.name == args[0] {
			return c.start(ctx, args[1:], environ, stdout, stderr)
		}
	}
	switch args[0] {
	case "version":
		fmt.Fprintln(stdout, "writer", ops.Build())
		return exitDone
	case "healthcheck":
		return healthcheck(ctx, args[1:], environ, stdout, stderr)
	case "-h", "--help", "help":
		usage(stdout)
		return exitDone
	}
	fmt.Fprintf(stderr, "writer: unknown command %q\n\n", args[0])
	usage(stderr)
	return exitUsage
}

func usage(w io.Writer) {
	fmt.Fprint(w, `writer moves messages from the stream into the database.

  writer                 run it
`)
	for _, c := range commands {
		fmt.Fprintf(w, "  writer %-15s %s\n", c.name, c.does)
	}
	fmt.Fprint(w, `  writer healthcheck     ask the writer that runs here whether it is ready ("live": whether it lives)
  writer version         say what it was built from
  writer help            this page

"writer COMMAND -h" tells more. The commands work while the writer runs and while it does not.
Exit codes: 0 done, 1 failed or different, 2 bad usage or configuration.

Configuration comes from the environment, for the commands too:

`)
	_ = config.WriteTable(w, &settings{}) // a terminal that went away needs no help
}

// follow follows the stream until ctx ends.
func follow(ctx context.Context, environ map[string]string, stdout, stderr io.Writer) (exit int) {
	var s settings
	err := config.Load(&s, environ)
	if err == nil {
		err = s.validate()
	}
	if err != nil {
		fmt.Fprintln(stderr, "writer:", err)
		return exitUsage
	}
	log, flush := ops.NewLogger(stdout, s.LogLevel)
	defer flush()
	log.Info("starting", "version", ops.Version(), "configuration", config.Attrs(&s))

	if err := runServices(ctx, &s, log); err != nil {
		log.Error("stopped", "error", err)
		fmt.Fprintln(stderr, "writer:", err)
		return exitFailed
	}
	log.Info("stopped")
	return exitDone
}
