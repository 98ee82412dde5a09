package httpapi

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// latencyBuckets are upper bounds in seconds: from what a request costs on an idle
// machine to what nobody waits for.
var latencyBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// otherPath stands for the paths that are none of ours.
const otherPath = "other"

// requestMetrics counts requests. Its labels are bounded: patterns for paths, the
// methods that HTTP defines, and our statuses.
type requestMetrics struct {
	set          *metrics.Set
	milliseconds *metrics.PrometheusHistogram
	seconds      *metrics.PrometheusHistogram
	connsRefused *metrics.Counter

	mu       sync.RWMutex
	requests map[requestLabels]*metrics.Counter
}

type requestLabels struct {
	method, path string
	status       int
}

// register puts the series of the routes' common answers at zero.
func (m *requestMetrics) register(set *metrics.Set, routes routeTable) {
	m.set, m.requests = set, map[requestLabels]*metrics.Counter{}
	m.seconds = set.NewPrometheusHistogramExt("http_request_duration_seconds", latencyBuckets)
	m.milliseconds = set.NewPrometheusHistogramExt("request_latency_ms", inMilliseconds(latencyBuckets))
	m.connsRefused = set.NewCounter("http_connections_refused_total")
	for _, r := range routes.all {
		for _, status := range r.statuses {
			m.counter(requestLabels{r.method, r.pattern, status})
		}
	}
	m.counter(requestLabels{http.MethodGet, otherPath, http.StatusNotFound})
}

func inMilliseconds(seconds []float64) []float64 {
	ms := make([]float64, len(seconds))
	for i, s := range seconds {
		ms[i] = s * 1000
	}
	return ms
}

func (m *requestMetrics) observe(x *exchange, status int, took time.Duration) {
	path := otherPath
	if x.route != nil {
		path = x.route.pattern
	}
	m.counter(requestLabels{x.method, path, status}).Inc()
	m.seconds.Update(took.Seconds())
	m.milliseconds.Update(took.Seconds() * 1000)
}

func (m *requestMetrics) counter(l requestLabels) *metrics.Counter {
	m.mu.RLock()
	c := m.requests[l]
	m.mu.RUnlock()
	if c != nil {
		return c
	}
	c = m.set.GetOrCreateCounter(fmt.Sprintf("http_requests_total{method=%q,path=%q,status=\"%d\"}", l.method, l.path, l.status))
	m.mu.Lock()
	m.requests[l] = c
	m.mu.Unlock()
	return c
}
