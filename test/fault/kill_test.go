package fault

import (
	"flag"
	"testing"
	"time"

	"sluice/test/harness"
	"sluice/test/load"
)

var kills = flag.Int("kills", 0, "how often TestKill kills a program, default 10 and with -long 200")

// TestKill kills the api, the writer or both with SIGKILL at random moments, also
// while they start, under load from many connections.
func TestKill(t *testing.T) {
	t.Parallel()
	rng := newRand(1)
	p := harness.Start(t, harness.Options{
		API:    map[string]string{"LOG_LEVEL": "WARNING"},
		Writer: map[string]string{"LOG_LEVEL": "WARNING"},
	})
	payload := load.Payload{Seed: *seed}
	s := send(t, p, load.Config{Connections: 32, Payload: payload})

	began := time.Now()
	var killed [2]int
	count := *kills
	if count == 0 {
		count = shortOrLong(10, 200)
	}
	for i := range count {
		if i%3 > 0 { // else at a moment of the start
			p.API.WaitReady()
			p.Writer.WaitReady()
		}
		moment(rng, 150*time.Millisecond)
		which := 1 + rng.IntN(3)
		for i, process := range []*harness.Process{p.API, p.Writer} {
			if which&(1<<i) != 0 {
				process.Kill()
				killed[i]++
			}
		}
		moment(rng, 50*time.Millisecond)
		for i, process := range []*harness.Process{p.Writer, p.API} {
			if which&(2>>i) != 0 {
				process.Start()
			}
		}
	}
	p.API.WaitReady()
	p.Writer.WaitReady()
	s.stop()
	audit := p.WaitForAll(payload, s.ledger)

	survived(count, "kills")
	t.Logf("kills survived: %d (api %d, writer %d) in %v, seed %d", count, killed[0], killed[1], time.Since(began).Round(time.Second), *seed)
	t.Logf("messages: %v", audit)
	if audit.Acked == 0 {
		t.Error("nothing was acknowledged, so nothing was tested")
	}
}
