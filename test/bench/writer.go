package main

import (
	"fmt"
	"os"
	"testing"
	"time"

	"sluice/test/harness"
)

// progress is how far a writer was at a moment.
type progress struct {
	at        time.Time
	entries   uint64
	processor time.Duration
}

// curve is a writer's way through a stream, cut into parts of the same number of
// entries.
type curve struct {
	traffic   traffic
	rate      []float64 // entries a second in each part
	processor []float64 // microseconds of processor time for an entry
	overall   float64   // entries a second
	bytes     float64   // of the database and its log for an entry
	peak      float64   // memory, MiB
}

const curveParts = 10

// measureWriter fills a stream with each traffic, then lets a writer loose on it.
func measureWriter(t testing.TB, s sizes) *report {
	var curves []curve
	for _, tr := range traffics {
		c := writeAll(t, s, tr)
		t.Logf("%s: %.0f entries/s, first tenth %.0f, last tenth %.0f; processor µs %.1f", tr.name, c.overall, c.rate[0], c.rate[curveParts-1], c.processor)
		curves = append(curves, c)
	}
	return writerReport(s, curves)
}

// writeAll fills a stream and measures the writer's way through it.
func writeAll(t testing.TB, s sizes, tr traffic) curve {
	t.Helper()
	p := harness.New(t, harness.Options{API: unrepeated})
	startAPI(p)
	last := newFiller(t, p, tr).fill(t.Context(), s.rows)
	p.Writer.StartReady()
	samples := follow(t, p, last)
	_, peak := resident(p.Writer.PID())
	c := curveOf(tr, samples)
	c.peak = peak
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(p.Database + suffix); err == nil {
			c.bytes += float64(info.Size()) / float64(s.rows)
		}
	}
	p.Writer.Stop()
	p.API.Stop()
	if err := os.RemoveAll(p.Dir); err != nil { // large, and there are more to come
		t.Fatal(err)
	}
	return c
}

// follow samples a writer from its first batch until it has applied everything.
func follow(t testing.TB, p *harness.Pipeline, entries uint64) []progress {
	t.Helper()
	pid := p.Writer.PID()
	samples := []progress{{at: time.Now(), processor: processorTime(pid)}}
	for last := samples[0]; last.entries < entries; {
		time.Sleep(20 * time.Millisecond)
		last = progress{time.Now(), applied(p), processorTime(pid)}
		if last.entries == 0 {
			samples[0] = last
			continue
		}
		if last.entries > samples[len(samples)-1].entries {
			samples = append(samples, last)
		}
		if !p.Writer.Running() {
			t.Fatal("the writer ended")
		}
		if t.Context().Err() != nil {
			t.Fatal(t.Context().Err())
		}
	}
	return samples
}

func curveOf(tr traffic, samples []progress) curve {
	c := curve{traffic: tr}
	last := samples[len(samples)-1]
	c.overall = float64(last.entries) / last.at.Sub(samples[0].at).Seconds()
	for i := range curveParts {
		from := between(samples, float64(last.entries)*float64(i)/curveParts)
		to := between(samples, float64(last.entries)*float64(i+1)/curveParts)
		n := float64(last.entries) / curveParts
		c.rate = append(c.rate, n/to.at.Sub(from.at).Seconds())
		c.processor = append(c.processor, float64((to.processor-from.processor).Microseconds())/n)
	}
	return c
}

// between returns when so many entries were applied, on a straight line between
// the samples around it.
func between(samples []progress, entries float64) progress {
	for i := 1; i < len(samples); i++ {
		a, b := samples[i-1], samples[i]
		if float64(b.entries) >= entries {
			part := (entries - float64(a.entries)) / float64(b.entries-a.entries)
			return progress{
				at:        a.at.Add(time.Duration(part * float64(b.at.Sub(a.at)))),
				processor: a.processor + time.Duration(part*float64(b.processor-a.processor)),
			}
		}
	}
	return samples[len(samples)-1]
}

func writerReport(s sizes, curves []curve) *report {
	r := &report{Mode: fmt.Sprintf("%d entries wait in the stream when the writer starts: stream to committed rows, with checkpoint, counters, rank index and search index, "+
		"synced before each ack (WAL, synchronous=NORMAL). The api, which serves the stream, has the same processors.", s.rows)}
	rates := table{Title: "Entries a second", Head: []string{"traffic", "overall", "first tenth", "last tenth", "processor µs first, last", "bytes on disk each", "peak memory MiB"}}
	byClock := plot{Name: "writer", Title: "Entries a second by rows in the table"}
	byProcessor := plot{Name: "writer-processor", Title: "Microseconds of processor time for an entry by rows in the table"}
	for i := range curveParts {
		rows := float64(s.rows) * float64(i+1) / curveParts
		byClock.Categories = append(byClock.Categories, thousands(rows))
	}
	byProcessor.Categories = byClock.Categories
	for _, c := range curves {
		first, last := c.rate[0], c.rate[curveParts-1]
		rates.add(c.traffic.name, thousands(c.overall), thousands(first), thousands(last),
			fmt.Sprintf("%.1f, %.1f", c.processor[0], c.processor[curveParts-1]), fmt.Sprintf("%.0f", c.bytes), fmt.Sprintf("%.0f", c.peak))
		byClock.Series = append(byClock.Series, series{c.traffic.name, c.rate})
		byProcessor.Series = append(byProcessor.Series, series{c.traffic.name, c.processor})
		switch {
		case c.traffic.repeated > 0:
			r.Ratios = append(r.Ratios, ratio{c.traffic.name + " / " + curves[0].traffic.name, c.overall / curves[0].overall, 0.5})
		case c.traffic.scatter == 0:
			r.Ratios = append(r.Ratios, ratio{"last tenth / first tenth, " + c.traffic.name, last / first, 0.8})
		default:
			r.Ratios = append(r.Ratios, ratio{"last tenth / first tenth, " + c.traffic.name, last / first, 0})
		}
	}
	r.Tables, r.Plots = []table{rates}, []plot{byClock, byProcessor}
	return r
}
