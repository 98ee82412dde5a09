package ops

import (
	"fmt"
	"io"
	"runtime"

	"github.com/VictoriaMetrics/metrics"
)

// MetricsContentType is that of the Prometheus text format, version 0.0.4.
const MetricsContentType = "text/plain; version=0.0.4; charset=utf-8"

// WriteMetrics writes the sets, what this program was built from, and the
// metrics of the process and of the Go runtime, in the Prometheus text format.
func WriteMetrics(w io.Writer, sets ...*metrics.Set) {
	// The library has only a global switch for the "# TYPE" lines.
	metrics.ExposeMetadata(true)
	fmt.Fprintf(w, "# HELP sluice_build_info\n# TYPE sluice_build_info gauge\nsluice_build_info{version=%q,go=%q} 1\n",
		Version(), runtime.Version())
	for _, set := range sets {
		set.WritePrometheus(w)
	}
	metrics.WriteProcessMetrics(w)
	metrics.WriteFDMetrics(w) // a connection is an open file, and those are limited
}
