package harness

import (
	"strconv"
	"strings"
)

// APIMetrics returns what the api's /metrics shows, by name and labels as they
// are written there.
func (p *Pipeline) APIMetrics() map[string]float64 {
	p.t.Helper()
	_, body := p.API.get("/metrics")
	return parseMetrics(body)
}

// WriterMetrics returns what the writer's /metrics shows.
func (p *Pipeline) WriterMetrics() map[string]float64 {
	p.t.Helper()
	_, body := p.Writer.get("/metrics")
	return parseMetrics(body)
}

// parseMetrics reads the Prometheus text format.
func parseMetrics(text string) map[string]float64 {
	values := map[string]float64{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		i := strings.LastIndexByte(line, ' ')
		if i < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if v, err := strconv.ParseFloat(line[i+1:], 64); err == nil {
			values[line[:i]] = v
		}
	}
	return values
}
