//go:build linux

package fault

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/test/harness"
	"sluice/test/load"
)

// patience is how long a sender waits here for an answer. How long it has to is
// printed; a busy machine decides about that.
const patience = time.Minute

// TestOverload: an open load of twice what the programs can take here. Each request is
// answered, 200 or 503 with Retry-After, and what was answered 200 is in the database
// once. The crowd has processors of its own where there are two, or it would take away
// what it measures. The long version wants the rate of 200s to stay above floor.
func TestOverload(t *testing.T) {
	crowd := shortOrLong(3000, 12_000) // connections at most
	if allowed := allowFiles(t, uint64(crowd)+1000); allowed < uint64(crowd)+1000 {
		notProven(t, "an overload by %d connections: a process may have only %d files here", crowd, allowed)
	}
	var p *harness.Pipeline
	apart(t, func() { p = startForStrangers(t) })
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
	count := uint64(1000)
	closed := func(connections int) float64 {
		res := round(load.Config{Connections: connections, Count: count})
		t.Logf("closed loop, %d connections: %v", connections, res)
		count = uint64(res.Rate() * lasts.Seconds())
		return res.Rate()
	}
	closed(64) // tells how many messages the others take
	best := 0.0
	for _, connections := range shortOrLong([]int{256}, []int{64, 256, 1024, 256, 1024}) {
		best = max(best, closed(connections))
	}
	count = uint64(best * lasts.Seconds())
	res := round(load.Config{Connections: crowd, Rate: 2 * best, Count: 2 * count})
	t.Logf("open loop, due %.0f/s over at most %d connections: %v", 2*best, res.Opened, res)
	t.Logf("refusals: %v; %d messages waited for a connection", &res.Refusals, res.Waited)
	t.Log(p.WaitForAll(load.Payload{}, ledger))
	ratio := res.Rate() / best
	survived(1, fmt.Sprintf("overload: 200s at best %.0f/s, at twice that load %.0f/s (%.2f of the best) with p50 %v and p99 %v, 503s with p50 %v and p99 %v",
		best, res.Rate(), ratio, res.Latency.Quantile(0.5).Round(time.Millisecond), res.Latency.Quantile(0.99).Round(time.Millisecond),
		res.Refusals.Quantile(0.5).Round(time.Millisecond), res.Refusals.Quantile(0.99).Round(time.Millisecond)))
	if *long && ratio < floor {
		t.Errorf("the rate of 200s fell to %.2f of its best", ratio)
	}
}

// floor is what is left of the best rate at least. To refuse a request, it is read and
// answered, which over so many connections takes a third of what it takes to accept and
// apply it; so the processors that could accept C a second accept C(1-2/3)/(1-1/3), half
// of it, when 2C come.
const floor = 0.4

// apart has start start programs on one half of the processors, and leaves the other
// half to this process until the test ends.
func apart(t *testing.T, start func()) {
	t.Helper()
	var all, theirs, ours unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	for cpu, left := 0, all.Count(); left > 0; cpu++ {
		if !all.IsSet(cpu) {
			continue
		}
		if left--; left < all.Count()/2 {
			ours.Set(cpu)
		} else {
			theirs.Set(cpu)
		}
	}
	if ours.Count() == 0 {
		t.Log("there is one processor: the crowd shares it with what it asks")
		start()
		return
	}
	runtime.LockOSThread() // what it starts inherits its processors
	defer runtime.UnlockOSThread()
	onProcessors(t, 0, &theirs)
	start()
	onProcessors(t, 0, &ours)
	keepTo(t, &ours)
	t.Cleanup(func() { keepTo(t, &all) })
}

// keepTo has every thread of this process run on these processors.
func keepTo(t *testing.T, processors *unix.CPUSet) {
	t.Helper()
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		if id, err := strconv.Atoi(thread.Name()); err == nil {
			onProcessors(t, id, processors)
		}
	}
}

func onProcessors(t *testing.T, thread int, processors *unix.CPUSet) {
	t.Helper()
	if err := unix.SchedSetaffinity(thread, processors); err != nil && !errors.Is(err, unix.ESRCH) {
		t.Fatal(err)
	}
}
