package query

import (
	"github.com/VictoriaMetrics/metrics"
)

// Register adds gauges to set that show what Status saw last: how far the writer
// beside this process is, and how large its database. The writer shows the same
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
}
