package main

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"sluice/test/harness"
)

// measureStarts stops and starts an api whose stream is long.
func measureStarts(t testing.TB, s sizes) *report {
	p := harness.New(t, harness.Options{API: unrepeated})
	startAPI(p)
	newFiller(t, p, randomTraffic).fill(t.Context(), s.entries)
	var stops, starts, recoveries []time.Duration
	for range s.runs {
		stops = append(stops, took(func() {
			if code := p.API.Stop(); code != 0 {
				t.Fatalf("the api ended with exit code %d", code)
			}
		}))
		starts = append(starts, took(func() { startAPI(p) }))
		p.API.Signal(syscall.SIGKILL)
		p.API.Wait()
		recoveries = append(recoveries, took(func() { startAPI(p) }))
	}
	times := table{Title: "Median of the runs", Head: []string{"", "until"}}
	times.add("SIGTERM until the end", milliseconds(median(stops)))
	times.add("start after a clean stop until ready", milliseconds(median(starts)))
	times.add("start after kill -9 until ready", milliseconds(median(recoveries)))
	t.Logf("stop %v, start %v, start after kill -9 %v", stops, starts, recoveries)
	return &report{
		Mode:   fmt.Sprintf("A stream of %d entries, all older than the dedup window, `ACK_DURABILITY=fsync`. Ready means that `/health/ready/ingest` says so.", s.entries),
		Tables: []table{times},
		Ratios: []ratio{{"1 s / start after a clean stop", float64(time.Second) / float64(median(starts)), 1}},
	}
}

func took(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}
