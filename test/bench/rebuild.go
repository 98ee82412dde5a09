package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"syscall"
	"testing"
	"time"

	"sluice/test/harness"
)

// measureRebuild makes the database anew twice: while its writer runs and has
// nothing to do, and without a writer.
func measureRebuild(t testing.TB, s sizes) *report {
	p := harness.New(t, harness.Options{API: unrepeated})
	startAPI(p)
	last := newFiller(t, p, randomTraffic).fill(t.Context(), s.rows)
	p.Writer.StartReady()
	samples := follow(t, p, last)
	took := samples[len(samples)-1].at.Sub(samples[0].at)
	writer := float64(last) / took.Seconds()

	rates := table{Title: "Rows a second, everything included", Head: []string{"", "rows/s", "seconds", "processor µs a row", "peak memory MiB"}}
	rates.add("the writer, catching up", thousands(writer), fmt.Sprintf("%.1f", took.Seconds()), "", "")
	beside := rebuildOnce(t, p, s)
	beside.into(&rates, "rebuild beside the writer")
	p.Writer.Stop()
	without := rebuildOnce(t, p, s)
	without.into(&rates, "rebuild without a writer")
	p.API.Stop()
	alone := insertAlone(t, p)
	rates.add("SQLite's part of it alone", thousands(alone), "", "", "")
	t.Logf("writer %.0f/s, rebuild %.0f/s and %.0f/s, SQLite alone %.0f/s", writer, beside.rate, without.rate, alone)
	return &report{
		Mode: fmt.Sprintf("A stream of %d entries, replayed into a new database, with checkpoint, counters, rank index and search index, synced and swapped in. "+
			"The api, which serves the stream, has the same processors. *SQLite's part alone* is up to a million of the same rows put into a table with the same columns "+
			"and indexes through the same driver, %d a transaction, by one goroutine with nothing else to do and without a sync.", s.rows, aloneBatch),
		Tables: []table{rates},
		Ratios: []ratio{
			{"rebuild / writer catching up", beside.rate / writer, 0},
			{"rebuild / SQLite's part of it alone", without.rate / alone, 0},
		},
	}
}

// rebuilding is one run of the command.
type rebuilding struct{ rate, seconds, processor, peak float64 }

func (r rebuilding) into(t *table, name string) {
	t.add(name, thousands(r.rate), fmt.Sprintf("%.1f", r.seconds), fmt.Sprintf("%.1f", r.processor), fmt.Sprintf("%.0f", r.peak))
}

func rebuildOnce(t testing.TB, p *harness.Pipeline, s sizes) rebuilding {
	t.Helper()
	cmd := p.Command("rebuild", "--json")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	began := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatalf("rebuild: %v\n%s%s", err, &out, &said)
	}
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	var result struct{ Messages, Lost int64 }
	if err := json.Unmarshal(lines[len(lines)-1], &result); err != nil || uint64(result.Messages) != s.rows || result.Lost != 0 {
		t.Fatalf("rebuild: %v\n%s", err, &out)
	}
	for _, line := range lines {
		t.Logf("%s", line)
	}
	r := rebuilding{seconds: time.Since(began).Seconds()}
	r.rate = float64(s.rows) / r.seconds
	r.processor = float64((cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Microseconds()) / float64(s.rows)
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.peak = float64(usage.Maxrss) / 1024 // in KiB on Linux
	}
	return r
}
