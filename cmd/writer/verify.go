package main

import (
	"context"
	"fmt"
	"math"

	"sluice/internal/rebuild"
	"sluice/internal/stream"
)

var verifyCommand = command{
	name: "verify",
	does: "compare database and stream",
	help: `Usage: writer verify [--from SEQUENCE] [--to SEQUENCE]

Compares every row of the database with the stream's entry of its sequence, every entry with what became of it, and
looks for sequences that the stream has lost. Without a range it compares all that both have.
Prints what differs; exit code 1 if anything does. The writer goes on meanwhile.
`,
	prepare: func(o *operation) func(context.Context, []string) error {
		from := o.flags.Uint64("from", 1, "first sequence")
		to := o.flags.Uint64("to", math.MaxUint64, "last sequence")
		return func(ctx context.Context, args []string) error {
			if len(args) > 0 {
				return usageError("it takes no arguments")
			}
			if *from > *to {
				return usageError(fmt.Sprintf("there is nothing from %d to %d", *from, *to))
			}
			return o.verify(ctx, *from, *to)
		}
	},
}

// differencesSaid is how many differences are printed; all are counted.
const differencesSaid = 100

// differenceLine is a difference in JSON.
type differenceLine struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
	What  string `json:"difference"`
}

// comparisonLine is what was compared, in JSON.
type comparisonLine struct {
	First       uint64 `json:"first"`
	Last        uint64 `json:"last"`
	Entries     int64  `json:"entries"`
	Rows        int64  `json:"rows"`
	Statuses    int64  `json:"statuses"`
	Repeats     int64  `json:"repeats"`
	DeadLetters int64  `json:"dead_letters"`
	Discarded   int64  `json:"discarded"`
	Older       int64  `json:"not_compared"`
	Differences int64  `json:"differences"`
}

func (o *operation) verify(ctx context.Context, from, to uint64) error {
	conn, status, err := o.connect(ctx, "verify")
	if err != nil {
		return err
	}
	defer conn.Close()
	reader := o.reader()
	defer reader.Close()

	bar := o.newProgress()
	bar.phase("compare", "entries")
	said := 0
	tell := func(d rebuild.Difference) {
		if said++; said <= differencesSaid {
			o.tellDifference(d)
		}
	}
	c, err := rebuild.Compare(ctx, stream.NewReplayer(conn), status.StreamState, reader, from, to, tell, bar.show)
	bar.end()
	if err != nil {
		return err
	}
	if o.json {
		err = o.print(comparisonLine(c))
	} else {
		_, err = fmt.Fprintf(o.stdout, "sequences %d to %d: %d entries, %d rows equal, %d statuses, %d repeats, %d dead letters, %d discarded, %d rows not compared, %d differences\n",
			c.First, c.Last, c.Entries, c.Rows, c.Statuses, c.Repeats, c.DeadLetters, c.Discarded, c.Older, c.Differences)
	}
	if err == nil && c.Differences > 0 {
		return errSaid
	}
	return err
}

func (o *operation) tellDifference(d rebuild.Difference) {
	switch {
	case o.json:
		_ = o.print(differenceLine(d))
	case d.First == d.Last:
		fmt.Fprintf(o.stdout, "%d: %s\n", d.First, d.What)
	default:
		fmt.Fprintf(o.stdout, "%d to %d: %s\n", d.First, d.Last, d.What)
	}
}
