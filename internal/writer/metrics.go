package writer

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"sluice/pkg/message"
)

// instruments is what the writer measures, at zero from the start.
type instruments struct {
	inserted, duplicates, conflicts, deadLetters    *metrics.Counter
	statuses                                        *metrics.Counter
	missing, rewinds, streamFailures, storeFailures *metrics.Counter

	commitSeconds *metrics.PrometheusHistogram
	commitSize    *metrics.PrometheusHistogram

	now       func() time.Time
	applied   atomic.Uint64 // the checkpoint's sequence
	appliedAt atomic.Int64  // AcceptedAt of the entry there, in nanoseconds since 1970, 0 when unknown
	first     atomic.Uint64 // of the stream
	last      atomic.Uint64 // of the stream
	oldestAt  atomic.Int64  // AcceptedAt of the oldest entry not applied, as of the last look
	bytes     atomic.Int64
	walBytes  atomic.Int64
	letters   atomic.Int64 // dead letters kept aside now
}

func newInstruments(set *metrics.Set, now func() time.Time) *instruments {
	result := func(result string) *metrics.Counter {
		return set.NewCounter(`sluice_writer_messages_total{result="` + result + `"}`)
	}
	i := &instruments{
		now:            now,
		inserted:       result("inserted"),
		duplicates:     result("duplicate"),
		conflicts:      result("conflict"),
		deadLetters:    result("dead_letter"),
		statuses:       set.NewCounter("sluice_writer_statuses_total"),
		missing:        set.NewCounter("sluice_writer_missing_entries_total"),
		rewinds:        set.NewCounter("sluice_writer_rewinds_total"),
		streamFailures: set.NewCounter(`sluice_writer_failures_total{side="stream"}`),
		storeFailures:  set.NewCounter(`sluice_writer_failures_total{side="store"}`),
		commitSeconds: set.NewPrometheusHistogramExt("sluice_commit_seconds",
			[]float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}),
		commitSize: set.NewPrometheusHistogramExt("sluice_commit_group_size",
			[]float64{1, 3, 10, 30, 100, 300, 1000, 3000, 10_000}),
	}
	gauge := func(name string, value func() float64) { set.NewGauge(name, value) }
	gauge("sluice_writer_applied_sequence", func() float64 { return float64(i.applied.Load()) })
	gauge("sluice_stream_last_sequence", func() float64 { return float64(i.last.Load()) })
	gauge("sluice_writer_lag_entries", func() float64 { return float64(i.lag()) })
	gauge("sluice_writer_lag_seconds", func() float64 { return i.lagTime().Seconds() })
	gauge("sluice_store_bytes", func() float64 { return float64(i.bytes.Load()) })
	gauge("sluice_store_wal_bytes", func() float64 { return float64(i.walBytes.Load()) })
	gauge("sluice_store_dead_letters", func() float64 { return float64(i.letters.Load()) })
	return i
}

// lag is how many entries the stream holds that are not applied.
func (i *instruments) lag() uint64 {
	done := i.applied.Load()
	if first := i.first.Load(); first > 0 {
		done = max(done, first-1)
	}
	return max(i.last.Load(), done) - done
}

// lagTime is the age of the oldest of them. It lies between the entry that was
// applied last and the last look at the stream, whichever is younger.
func (i *instruments) lagTime() time.Duration {
	oldest := max(i.appliedAt.Load(), i.oldestAt.Load())
	if i.lag() == 0 || oldest == 0 {
		return 0
	}
	return max(0, i.now().Sub(time.Unix(0, oldest)))
}

func (i *instruments) observeStream(s *message.StreamState) {
	i.first.Store(s.First)
	i.last.Store(s.Last)
}

func (i *instruments) observeFetched(last uint64) {
	i.last.Store(max(last, i.last.Load()))
}

func (i *instruments) observeApplied(b *batch, a *message.Applied, took time.Duration) {
	i.inserted.Add(a.Inserted)
	i.duplicates.Add(a.Duplicates)
	i.conflicts.Add(len(a.Conflicts))
	i.deadLetters.Add(a.DeadLetters)
	i.statuses.Add(a.Statuses)
	i.commitSeconds.Update(took.Seconds())
	i.commitSize.Update(float64(len(b.entries)))
	i.applied.Store(b.last())
	i.appliedAt.Store(b.entries[len(b.entries)-1].AcceptedAt.UnixNano())
}

// observeRetried counts what became of dead letters; they were counted as such before.
func (i *instruments) observeRetried(r *message.Retried) {
	i.inserted.Add(r.Inserted)
	i.duplicates.Add(r.Duplicates)
	i.conflicts.Add(len(r.Conflicts))
}

func (i *instruments) observeStore(s *message.StoreStatus) {
	i.applied.Store(s.Checkpoint.Seq)
	if s.AppliedAt.IsZero() {
		i.appliedAt.Store(0)
	} else {
		i.appliedAt.Store(s.AppliedAt.UnixNano())
	}
	i.bytes.Store(s.Bytes)
	i.walBytes.Store(s.WALBytes)
	i.letters.Store(s.DeadLetters)
}

// watchEvery is how often watch looks at the stream.
const watchEvery = time.Second

// watch looks how far the stream is ahead, until ctx ends. Most of the time the
// entries themselves tell; this is for when they do not come.
func (w *Writer) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.look(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// look asks the stream for its last entry and for the oldest one not applied. A
// stream that does not answer is what the last answer said: StreamReady tells.
func (w *Writer) look(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, watchEvery)
	defer cancel()
	status, err := w.stream.Status(within)
	if err != nil {
		return
	}
	w.metrics.observeStream(&status.StreamState)
	if w.metrics.lag() == 0 {
		return
	}
	oldest, err := w.stream.FirstFrom(within, w.metrics.applied.Load()+1)
	if err != nil {
		return
	}
	w.metrics.oldestAt.Store(oldest.AcceptedAt.UnixNano())
}
