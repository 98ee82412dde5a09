//go:build linux

package fault

import (
	"strconv"
	"testing"

	"sluice/test/harness"
	"sluice/test/load"
)

// TestDiskFull_ofTheStreamItself: without a writer the stream comes to its limit,
// STREAM_MAX_BYTES. Webhooks are 503 then, an operator sees why in /pipeline, the
// metrics and the log, and nothing that was accepted is dropped to make room. Once the
// writer has taken it, trimming makes room and service returns by itself.
func TestDiskFull_ofTheStreamItself(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{
		API: map[string]string{
			"STREAM_MAX_BYTES": strconv.Itoa(16 << 20), "STREAM_RETENTION": "1s", "TRIM_INTERVAL": "100ms", "TRIM_SETTLE": "100ms",
			"LOG_LEVEL": "WARNING",
		},
		Writer: map[string]string{"LOG_LEVEL": "WARNING"},
	})
	p.Writer.Kill()
	s := send(t, p, load.Config{Payload: load.Payload{Padding: longText}})
	wantFull(t, p, true)
	p.API.WaitStatus("/health/ready/ingest", 503)
	harness.Eventually(t, "a refusal", func() bool { return p.APIMetrics()[`webhook_requests_total{source="plain",result="unavailable"}`] > 0 })
	wantSaid(t, p.API, "stream is full")
	p.Writer.StartReady()
	p.API.WaitStatus("/health/ready/ingest", 200)
	s.more(100)
	res := s.stop()
	wantNoHang(t, res)
	wantOnly(t, res, 200, 503)
	if res.Hasty > 0 {
		t.Errorf("%d refusals did not say when to come back", res.Hasty)
	}
	t.Log(p.WaitForAll(s.load.Payload, s.ledger))
	survived(1, "full streams")
}

// wantFull waits until an operator sees whether the stream is full.
func wantFull(t *testing.T, p *harness.Pipeline, want bool) {
	t.Helper()
	var gauge float64
	if want {
		gauge = 1
	}
	harness.Eventually(t, "sluice_stream_full", func() bool { return p.APIMetrics()["sluice_stream_full"] == gauge })
	harness.Eventually(t, "full in /pipeline", func() bool {
		var state struct {
			Stream struct {
				Full *bool `json:"full"`
			} `json:"stream"`
		}
		p.Decode("/pipeline", &state)
		return state.Stream.Full != nil && *state.Stream.Full == want
	})
}
