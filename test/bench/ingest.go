package main

import (
	"fmt"
	"testing"
	"time"

	"sluice/test/harness"
	"sluice/test/load"
)

// target is a server that takes webhooks.
type target struct {
	name string
	addr string
	pid  int
	next uint64 // message, so that none comes twice
}

// run is what one load gave.
type run struct {
	rate      float64 // accepted a second
	processor float64 // microseconds of the server's processor time for a message
	p50, p99  time.Duration
}

// burst posts signed, unique messages over so many connections as fast as they
// are taken; what is refused, because too many wait for too long, comes again. The
// requests are made before the clock starts.
func (g *target) burst(t testing.TB, connections int, count uint64) run {
	t.Helper()
	return g.load(t, load.Config{Connections: connections, Count: count, Prepare: true, Retry: true})
}

func (g *target) load(t testing.TB, c load.Config) run {
	t.Helper()
	c.Addr, c.Secret, c.First = g.addr, harness.Secret, g.next
	g.next += c.Count
	before := processorTime(g.pid)
	r := load.Run(t.Context(), c)
	if r.OK() != c.Count {
		t.Fatalf("%s: %v", g.name, r)
	}
	used := processorTime(g.pid) - before
	return run{
		rate:      r.Rate(),
		processor: float64(used.Microseconds()) / float64(c.Count),
		p50:       r.Latency.Quantile(0.5),
		p99:       r.Latency.Quantile(0.99),
	}
}

// warmUp posts for a quarter of the duration or so and returns how many messages
// fill the whole of it.
func (g *target) warmUp(t testing.TB, s sizes, connections int) uint64 {
	t.Helper()
	few := uint64(max(200, 4*connections))
	r := g.burst(t, connections, few)
	r = g.burst(t, connections, max(few, uint64(r.rate*s.duration.Seconds()/4)))
	return max(few, uint64(r.rate*s.duration.Seconds()))
}

// measureIngest compares the api with the same handler that publishes nothing
// and with a stream that syncs each message. The three take turns.
func measureIngest(t testing.TB, s sizes) *report {
	p := harness.New(t, harness.Options{})
	startAPI(p)
	without, always := startComparison(t, ceiling), startComparison(t, syncAlways)
	targets := []*target{
		{name: "ceiling", addr: without.addr, pid: without.cmd.Process.Pid},
		{name: "fsync", addr: p.Addr, pid: p.API.PID()},
		{name: "sync-always", addr: always.addr, pid: always.cmd.Process.Pid},
	}

	rates := table{Title: "Accepted a second, median of the runs", Head: []string{"connections",
		"ceiling", "**fsync**", "sync-always", "fsync / ceiling", "fsync / sync-always", "fsync p50, p99", "processor µs: ceiling, fsync"}}
	half := table{Title: "At half of that rate, latency from the moment a message was due: what the ceiling has of it is the machine's, and the sender's beside it",
		Head: []string{"connections", "rate", "**fsync** p50, p99", "ceiling p50, p99"}}
	drawn := plot{Name: "ingest", Title: "Accepted a second by connections", Bars: true,
		Series: []series{{Name: "ceiling"}, {Name: "fsync (default)"}, {Name: "sync-always"}}}
	r := &report{Mode: "`ACK_DURABILITY=fsync`, logs at INFO, HMAC, JSON, duplicate check; keep-alive, requests signed beforehand, " +
		"*ceiling* is the same handler without publishing, *sync-always* the same with a stream that syncs each message, the writer is stopped."}

	for _, connections := range s.connections {
		runs := takeTurns(t, s, targets, connections)
		mid := func(i int, f func(run) float64) float64 { return medianOf(runs[i], f) }
		rate := func(r run) float64 { return r.rate }
		overCeiling, overAlways := quotients(runs[1], runs[0]), quotients(runs[1], runs[2])
		for i := range drawn.Series {
			drawn.Series[i].Values = append(drawn.Series[i].Values, mid(i, rate))
		}
		drawn.Categories = append(drawn.Categories, fmt.Sprint(connections))
		p50 := time.Duration(mid(1, func(r run) float64 { return float64(r.p50) }))
		p99 := time.Duration(mid(1, func(r run) float64 { return float64(r.p99) }))
		processor := func(r run) float64 { return r.processor }
		rates.add(connections, thousands(mid(0, rate)), thousands(mid(1, rate)), thousands(mid(2, rate)),
			fmt.Sprintf("%.0f %%", 100*overCeiling), fmt.Sprintf("%.1f", overAlways), milliseconds(p50)+", "+milliseconds(p99),
			fmt.Sprintf("%.1f, %.1f", mid(0, processor), mid(1, processor)))
		if connections == 64 || connections == 256 {
			r.Ratios = append(r.Ratios,
				ratio{fmt.Sprintf("fsync / ceiling at %d connections", connections), overCeiling, 0.55},
				ratio{fmt.Sprintf("fsync / sync-always at %d connections", connections), overAlways, 8})
			latencies := func(g *target) string {
				open := g.load(t, load.Config{Connections: connections, Prepare: true,
					Rate: mid(1, rate) / 2, Count: uint64(max(200, mid(1, rate)*s.duration.Seconds()))})
				return milliseconds(open.p50) + ", " + milliseconds(open.p99)
			}
			half.add(connections, thousands(mid(1, rate)/2), latencies(targets[1]), latencies(targets[0]))
		}
	}
	r.Tables, r.Plots = []table{rates}, []plot{drawn}
	if len(half.Rows) > 0 {
		r.Tables = append(r.Tables, half)
	}
	return r
}

// takeTurns bursts at the targets in turn and returns the runs of each.
func takeTurns(t testing.TB, s sizes, targets []*target, connections int) [][]run {
	t.Helper()
	counts := make([]uint64, len(targets))
	for i, g := range targets {
		counts[i] = g.warmUp(t, s, connections)
	}
	runs := make([][]run, len(targets))
	for n := range s.runs {
		for i, g := range targets {
			runs[i] = append(runs[i], g.burst(t, connections, counts[i]))
			t.Logf("%d connections, run %d, %s: %.0f/s, %.1f µs of processor, p99 %v", connections, n+1, g.name, runs[i][n].rate, runs[i][n].processor, runs[i][n].p99)
		}
	}
	return runs
}

func medianOf(runs []run, f func(run) float64) float64 {
	var values []float64
	for _, r := range runs {
		values = append(values, f(r))
	}
	return median(values)
}

// quotients returns the median of what the rates of one turn give.
func quotients(above, below []run) float64 {
	var values []float64
	for i := range above {
		values = append(values, above[i].rate/below[i].rate)
	}
	return median(values)
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
}

// thousands writes 12345 as 12.3 k.
func thousands(n float64) string {
	if n < 1000 {
		return fmt.Sprintf("%.0f", n)
	}
	return fmt.Sprintf("%.1f k", n/1000)
}
