package stream

import (
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// ObserveCommits returns what a group commit calls after each commit.
func ObserveCommits(set *metrics.Set) func(size int, took time.Duration) {
	seconds := set.NewPrometheusHistogramExt("sluice_commit_seconds",
		[]float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5})
	sizes := set.NewPrometheusHistogramExt("sluice_commit_group_size",
		[]float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192})
	return func(size int, took time.Duration) {
		seconds.Update(took.Seconds())
		sizes.Update(float64(size))
	}
}
