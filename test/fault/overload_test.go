//go:build linux

package fault

import (
	"fmt"
	"testing"
	"time"

	"sluice/test/harness"
	"sluice/test/load"
)

// patience is how long a sender waits here for an answer. The crowd has the machine
// to itself together with what it asks, so it says nothing about speed.
const patience = time.Minute

// TestOverload: an open load of twice what the programs can take here. Each request is
// answered, 200 or 503 with Retry-After, and what was answered 200 is in the database
// once. The long version prints the figures, and wants the rate of 200s to stay within
// a tenth of its best; the crowd must have a machine of its own for that, or it takes
// away what it measures.
func TestOverload(t *testing.T) {
	crowd := shortOrLong(3000, 12_000) // connections at most
	if allowed := allowFiles(t, uint64(crowd)+1000); allowed < uint64(crowd)+1000 {
		notProven(t, "an overload by %d connections: a process may have only %d files here", crowd, allowed)
	}
	p := startForStrangers(t)
	ledger := &load.Ledger{}
	next := uint64(0) // behind every message that was posted, acknowledged or not
	round := func(c load.Config) *load.Result {
		c.Addr, c.Secret, c.Ledger, c.Prepare, c.Timeout, c.First = p.Addr, harness.Secret, ledger, true, patience, next
		next += c.Count
		res := load.Run(t.Context(), c)
		wantNoHang(t, res)
		wantOnly(t, res, 200, 503)
		if res.Hasty > 0 {
			t.Errorf("%d refusals did not say when to come back", res.Hasty)
		}
		return res
	}

	lasts := shortOrLong(time.Second, 20*time.Second)
	best, count := 0.0, uint64(1000)
	for _, connections := range shortOrLong([]int{64, 256}, []int{64, 256, 1024, 256, 1024}) {
		res := round(load.Config{Connections: connections, Count: count})
		t.Logf("closed loop, %d connections: %v", connections, res)
		best = max(best, res.Rate())
		count = uint64(best * lasts.Seconds())
	}
	res := round(load.Config{Connections: crowd, Rate: 2 * best, Count: 2 * count})
	t.Logf("open loop, due %.0f/s over at most %d connections: %v", 2*best, res.Opened, res)
	t.Logf("refusals: %v; %d messages waited for a connection", &res.Refusals, res.Waited)
	t.Log(p.WaitForAll(load.Payload{}, ledger))
	ratio := res.Rate() / best
	survived(1, fmt.Sprintf("overload: 200s at best %.0f/s, at twice that load %.0f/s (%.2f of the best) with p50 %v and p99 %v, 503s with p50 %v and p99 %v",
		best, res.Rate(), ratio, res.Latency.Quantile(0.5).Round(time.Millisecond), res.Latency.Quantile(0.99).Round(time.Millisecond),
		res.Refusals.Quantile(0.5).Round(time.Millisecond), res.Refusals.Quantile(0.99).Round(time.Millisecond)))
	if *long && ratio < 0.9 {
		t.Errorf("the rate of 200s fell to %.2f of its best", ratio)
	}
}
