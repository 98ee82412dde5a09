// Command bench measures the real programs from outside and writes what it found
// into docs: bursts against the ceiling of the machine, the writer from an empty
// table to a large one, queries while the writer works, starts and stops. Each
// claim is a ratio of two figures of one run, since a shared machine makes times
// worth little; see docs/BENCHMARKS.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	serveWhenAsked()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// command measures, writes the documents and returns an error when a ratio is
// worse than the one that was there before.
func command(ctx context.Context, args []string, out io.Writer) error {
	s := defaultSizes
	docs := "docs"
	names := flag.NewFlagSet("bench", flag.ContinueOnError)
	names.StringVar(&docs, "docs", docs, "`folder` of BENCHMARKS.md; its benchmarks folder holds plots and figures")
	names.StringVar(&s.dir, "dir", s.dir, "`folder` for data, on the disk to measure; a temporary one when empty")
	names.Uint64Var(&s.rows, "rows", s.rows, "rows of the table that is filled and asked")
	names.IntVar(&s.runs, "runs", s.runs, "runs of which the median counts")
	names.DurationVar(&s.duration, "duration", s.duration, "of one burst, about")
	names.IntVar(&s.queries, "queries", s.queries, "requests for each kind of query")
	names.Uint64Var(&s.burst, "burst", s.burst, "messages that come while the writer is away")
	names.Uint64Var(&s.entries, "entries", s.entries, "entries of the stream that is stopped and started")
	only := names.String("parts", strings.Join(partNames(), ","), "what to measure; figures of other parts stay as they are")
	if err := names.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}

	store := reports{dir: docs}
	before, err := store.read()
	if err != nil {
		return err
	}
	found := before.clone()
	commandLine := strings.Join(append([]string{"go run ./test/bench"}, args...), " ")
	err = asTest(ctx, s.dir, out, func(t *program) {
		for _, p := range chosen {
			fmt.Fprintf(out, "== %s: %s\n", p.name, p.title)
			found[p.name] = measured(t, p, s, commandLine)
		}
	})
	if err != nil {
		return err
	}
	if err := store.write(found); err != nil {
		return err
	}
	return found.compare(before, out)
}

// choose returns the parts with these names, separated by commas.
func choose(names string) (chosen []part, err error) {
	for name := range strings.SplitSeq(names, ",") {
		p, ok := partNamed(name)
		if !ok {
			return nil, fmt.Errorf("-parts %s: there are %s", name, strings.Join(partNames(), ", "))
		}
		chosen = append(chosen, p)
	}
	return chosen, nil
}
