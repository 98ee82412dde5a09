package fault

import (
	"math/rand/v2"
	"testing"
	"time"

	"sluice/test/harness"
	"sluice/test/load"
)

// backlog is how many entries the writer must be behind before a fault is over.
const backlog = 1000

// TestNetwork_writerCutOff: while the way to the stream is broken, senders notice
// nothing, readers get what there is, and the lag is there for an operator to
// see; afterwards the writer catches up by itself, with each message applied once.
//
// It failed when the writer was given the stream's own address, when the link was
// not cut, and with one more row expected than was inserted.
func TestNetwork_writerCutOff(t *testing.T) {
	for name, f := range map[string]struct {
		breakLink func(*harness.Link)
		connected bool // the writer still knows how far the stream is
	}{
		"cut":     {func(l *harness.Link) { l.Cut = true }, false},
		"blocked": {func(l *harness.Link) { l.Blocked = true }, false},
		"slow":    {func(l *harness.Link) { l.Rate = 32 << 10 }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := harness.NewLink(t)
			p := behind(t, l)
			s := send(t, p, load.Config{Rate: shortOrLong(1000.0, 2000.0)})
			s.more(backlog)
			for range shortOrLong(1, 10) {
				l.Set(func() { f.breakLink(l) })
				wantLagSeen(t, p, f.connected)
				if res := p.Get("/messages"); res.Status != 200 {
					t.Errorf("GET /messages meanwhile: %d %s", res.Status, res.Body)
				}
				l.Restore()
				p.Writer.WaitReady()
				s.more(backlog)
				survived(1, "faults of the link")
			}
			res := s.stop()
			wantNoHang(t, res)
			wantOnly(t, res, 200)
			wantCaughtUp(t, p, s)
		})
	}
}

// TestNetwork_flapping: the link is cut and blocked again and again at random
// moments, while the writer connects, reads and acknowledges.
//
// It failed with one more row expected than was inserted.
func TestNetwork_flapping(t *testing.T) {
	t.Parallel()
	l := harness.NewLink(t)
	p := behind(t, l)
	s := send(t, p, load.Config{Rate: shortOrLong(1000.0, 2000.0)})
	s.more(backlog)
	rng := rand.New(rand.NewPCG(*seed, 6))
	cuts := shortOrLong(20, 500)
	for range cuts {
		l.Set(func() { l.Cut = true })
		moment(rng, 100*time.Millisecond)
		l.Restore()
		moment(rng, 200*time.Millisecond)
		l.Set(func() { l.Blocked = true })
		moment(rng, 100*time.Millisecond)
	}
	l.Restore()
	p.Writer.WaitReady()
	res := s.stop()
	wantNoHang(t, res)
	wantOnly(t, res, 200)
	wantCaughtUp(t, p, s)
	survived(2*cuts, "faults of the link")
	dialed := l.Dialed()
	t.Logf("%d cuts, %d connections of the writer", cuts, dialed)
	if dialed < cuts/4 {
		t.Errorf("only %d connections came through the link: the cuts hit nothing", dialed)
	}
}

// pipelineState is what the tests read of /pipeline.
type pipelineState struct {
	Stream struct {
		First   *uint64 `json:"first_sequence"`
		Last    *uint64 `json:"last_sequence"`
		Missing uint64  `json:"missing"`
	} `json:"stream"`
	Writers []struct {
		Name       string   `json:"name"`
		Applied    uint64   `json:"applied_sequence"`
		LagEntries *uint64  `json:"lag_entries"`
		LagSeconds *float64 `json:"lag_seconds"`
	} `json:"writers"`
}

// lag returns the lag of the only writer as /pipeline shows it.
func lag(t *testing.T, p *harness.Pipeline) (entries uint64, seconds float64) {
	t.Helper()
	var state pipelineState
	p.Decode("/pipeline", &state)
	if len(state.Writers) != 1 || state.Writers[0].LagEntries == nil || state.Writers[0].LagSeconds == nil {
		t.Fatalf("/pipeline does not tell the writer's lag: %+v", state)
	}
	return *state.Writers[0].LagEntries, *state.Writers[0].LagSeconds
}

// wantLagSeen waits until an operator sees that the writer is behind: in
// /pipeline, in the api's /metrics and in the writer's own. A writer that cannot
// reach the stream does not know how far that is; it says that it is not ready.
func wantLagSeen(t *testing.T, p *harness.Pipeline, connected bool) {
	t.Helper()
	harness.Eventually(t, "lag in /pipeline", func() bool {
		entries, seconds := lag(t, p)
		return entries >= backlog && seconds > 0
	})
	harness.Eventually(t, "lag in the api's /metrics", func() bool {
		m := p.APIMetrics()
		return m["sluice_writer_lag_entries"] >= backlog && m["sluice_writer_lag_seconds"] > 0
	})
	if connected {
		harness.Eventually(t, "lag in the writer's /metrics", func() bool {
			m := p.WriterMetrics()
			return m["sluice_writer_lag_entries"] >= backlog/2 && m["sluice_writer_lag_seconds"] > 0
		})
		return
	}
	p.Writer.WaitStatus("/health/ready", 503)
}

// wantCaughtUp waits until everything acknowledged is in the database and checks
// that each entry was applied once and the lag is gone.
func wantCaughtUp(t *testing.T, p *harness.Pipeline, s *senders) {
	t.Helper()
	left, _ := lag(t, p)
	t.Logf("%d entries to catch up with", left)
	for left > 0 { // for as long as it takes, but not without progress
		harness.Eventually(t, "fewer entries to catch up with", func() bool {
			now, _ := lag(t, p)
			progress := now < left
			left = now
			return progress
		})
	}
	audit := p.WaitForAll(s.load.Payload, s.ledger)
	t.Log(audit)
	harness.Eventually(t, "no lag in the writer's /metrics", func() bool {
		return p.WriterMetrics()["sluice_writer_lag_entries"] == 0
	})
	m := p.WriterMetrics()
	inserted := m[`sluice_writer_messages_total{result="inserted"}`]
	duplicates := m[`sluice_writer_messages_total{result="duplicate"}`]
	if inserted != float64(audit.Rows) || duplicates != 0 {
		t.Errorf("%d rows, but %v inserted and %v duplicates: entries were applied again", audit.Rows, inserted, duplicates)
	}
}
