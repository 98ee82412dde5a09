package query

import (
	"github.com/VictoriaMetrics/metrics"

	"sluice/pkg/message"
)

// Register adds metrics to set that show what Status saw last: how far the writer
// beside this process is, what it has taken, and how large its database is. The writer shows the same
// under the same names; here they are there even while it is away.
func (p *Pipeline) Register(set *metrics.Set) {
	gauge := func(name string, value func(*PipelineStatus) float64) {
		set.NewGauge(name, func() float64 {
			if s := p.seen.Load(); s != nil {
				return value(s)
			}
			return 0
		})
	}
	gauge("sluice_writer_applied_sequence", func(s *PipelineStatus) float64 { return float64(s.Writers[0].Applied) })
	gauge("sluice_writer_lag_entries", func(s *PipelineStatus) float64 { return float64(s.Writers[0].LagEntries) })
	gauge("sluice_writer_lag_seconds", func(s *PipelineStatus) float64 { return s.Writers[0].Lag.Seconds() })
	gauge("sluice_store_bytes", func(s *PipelineStatus) float64 { return float64(s.Store.Bytes) })
	gauge("sluice_store_wal_bytes", func(s *PipelineStatus) float64 { return float64(s.Store.WALBytes) })
	gauge("sluice_store_dead_letters", func(s *PipelineStatus) float64 { return float64(s.Store.DeadLetters) })
	p.outcomes = newOutcomeCounters(set)
}

// outcomeCounters show what became of the entries that the database has taken. The
// writer counts from its start, these from the database's.
type outcomeCounters struct{ inserted, duplicates, conflicts, deadLetters *metrics.Counter }

func newOutcomeCounters(set *metrics.Set) *outcomeCounters {
	result := func(result string) *metrics.Counter {
		return set.NewCounter(`sluice_writer_messages_total{result="` + result + `"}`)
	}
	return &outcomeCounters{result("inserted"), result("duplicate"), result("conflict"), result("dead_letter")}
}

// show has the counters stand where the database's do. While there is none they stay.
func (c *outcomeCounters) show(o message.Outcomes) {
	c.inserted.Set(uint64(o.Inserted))
	c.duplicates.Set(uint64(o.Duplicates))
	c.conflicts.Set(uint64(o.Conflicts))
	c.deadLetters.Set(uint64(o.DeadLetters))
}
