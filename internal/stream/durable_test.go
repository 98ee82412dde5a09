package stream_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/VictoriaMetrics/metrics"

	"sluice/internal/groupcommit"
	"sluice/internal/natsd"
	"sluice/internal/stream"
	"sluice/internal/stream/streamtest"
)

// group runs a group commit until the test ends.
func group(t testing.TB, commit func(int) error) *groupcommit.Group {
	t.Helper()
	g := groupcommit.New(groupcommit.Config{
		Commit: commit, MaxWaiting: 8192, Observe: stream.ObserveCommits(metrics.NewSet()),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = g.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return g
}

// durable returns a publisher whose answers mean "on disk".
func durable(t testing.TB, s *streamtest.Server) *stream.Publisher {
	t.Helper()
	if _, err := s.ConnectInProcess(t).Ensure(within(t), stream.Config{}); err != nil {
		t.Fatal(err)
	}
	b, err := s.OpenBarrier(stream.Name)
	if err != nil {
		t.Fatal(err)
	}
	return s.Publisher(t, stream.PublisherConfig{Commit: group(t, b.Sync)})
}

func TestPublish_aDuplicateWaitsForACommitAsWell(t *testing.T) {
	var commits atomic.Int64
	s := streamtest.Start(t)
	p := s.Publisher(t, stream.PublisherConfig{Commit: group(t, func(int) error { commits.Add(1); return nil })})
	for n := int64(1); n <= 3; n++ {
		r, err := p.Publish(within(t), streamtest.Entry(1))
		if err != nil || r.Duplicate != (n > 1) || commits.Load() != n {
			t.Errorf("publish %d: %+v, %v, %d commits", n, r, err, commits.Load())
		}
	}
}

func TestPublish_afterAFailedCommitNothingIsPromised(t *testing.T) {
	broken := errors.New("disk on fire")
	s := streamtest.Start(t)
	p := s.Publisher(t, stream.PublisherConfig{Commit: group(t, func(int) error { return broken })})
	for range 2 {
		if r, err := p.Publish(within(t), streamtest.Entry(1)); !errors.Is(err, stream.ErrNotDurable) || !errors.Is(err, broken) {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if err := p.Ready(); !errors.Is(err, stream.ErrNotDurable) {
		t.Errorf("ready: %v", err)
	}
	if p.Acknowledged() != 0 {
		t.Errorf("acknowledged %d", p.Acknowledged())
	}
}

func TestPublish_throughARealBarrierAcrossBlocks(t *testing.T) {
	s := streamtest.Start(t)
	p := durable(t, s)
	big := streamtest.Entry(0)
	big.Data = make([]byte, 200_000)
	for n := range 100 { // 20 MB: two blocks are filled
		big.MsgID = fmt.Sprint("big", n)
		if _, err := p.Publish(within(t), big); err != nil {
			t.Fatal(err)
		}
	}
	if starts, err := s.BlockStarts(stream.Name); err != nil || len(starts) < 3 {
		t.Errorf("%v, %v", starts, err)
	}
}

func TestProbe_provesTheLayoutAndLeavesNothing(t *testing.T) {
	s := streamtest.Start(t)
	c := s.ConnectInProcess(t)
	// As at a start of the api: a server whose last stream goes removes the folder of
	// all streams a moment later, maybe under the next one.
	if _, err := c.Ensure(within(t), stream.Config{}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.Probe(within(t), natsd.ProbeStream, natsd.ProbeStreamBytes, s.CheckLayout); err != nil {
			t.Fatal(err)
		}
	}
	state, err := c.Ensure(within(t), stream.Config{})
	if err != nil || state.Last != 0 {
		t.Errorf("%+v, %v", state, err)
	}
}

func TestProbe_saysWhatItsLookFound(t *testing.T) {
	c := streamtest.Start(t).ConnectInProcess(t)
	odd := errors.New("odd")
	err := c.Probe(within(t), natsd.ProbeStream, natsd.ProbeStreamBytes, func(string, func([]byte) error) error { return odd })
	if !errors.Is(err, odd) {
		t.Errorf("got %v", err)
	}
}
