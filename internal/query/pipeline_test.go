package query

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/pkg/message"
)

// stream is a Stream whose entries were accepted one a second.
type stream struct {
	mu     sync.Mutex
	status message.StreamStatus
	first  time.Time
	err    error
}

func (s *stream) Status(context.Context) (message.StreamStatus, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status, s.err
}

func (s *stream) goTo(last uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Last = last
}

func (s *stream) FirstFrom(_ context.Context, seq uint64) (message.Entry, error) {
	if seq > s.status.Last {
		return message.Entry{}, message.ErrNoEntry
	}
	return message.Entry{Seq: max(seq, s.status.First), AcceptedAt: s.first.Add(time.Duration(seq-s.status.First) * time.Second)}, s.err
}

func newStream(first, last uint64, writers ...message.WriterStatus) *stream {
	return &stream{first: time.Now(), status: message.StreamStatus{
		StreamState: message.StreamState{ID: "S@1", First: first, Last: last}, Writers: writers}}
}

func (s *stream) pipeline(d *database) *Pipeline {
	return NewPipeline(PipelineConfig{Stream: s, Reader: d, WriterName: "writer", Now: time.Now})
}

func TestPipeline_tellsTheLagOfEachWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream(11, 100, message.WriterStatus{Name: "copy", Acked: 100}, message.WriterStatus{Name: "slow", Acked: 3}, message.WriterStatus{Name: "writer", Acked: 50})
		p := s.pipeline(&database{applied: 60})
		time.Sleep(time.Hour)
		got := p.Status(context.Background()).Writers
		want := []WriterStatus{
			{Name: "writer", Applied: 60, Local: true, Present: true, LagKnown: true, LagEntries: 40, Lag: time.Hour - 50*time.Second},
			{Name: "copy", Applied: 100, LagKnown: true},
			{Name: "slow", Applied: 3, LagKnown: true, LagEntries: 90, Lag: time.Hour}, // the rest was trimmed
		}
		if len(got) != len(want) {
			t.Fatalf("%+v", got)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%d:\n got %+v\nwant %+v", i, got[i], want[i])
			}
		}
	})
}

func TestPipeline_saysWhatItCannotSee(t *testing.T) {
	gone := errors.New("gone")
	s := newStream(1, 10, message.WriterStatus{Name: "writer", Acked: 4})
	s.err = gone
	got := s.pipeline(&database{applied: 7}).Status(context.Background())
	if !errors.Is(got.StreamErr, gone) || got.Writers[0].LagKnown || got.Writers[0].Applied != 7 {
		t.Errorf("no stream: %+v", got)
	}

	s.err = nil
	got = s.pipeline(&database{err: message.ErrUnavailable, absent: true}).Status(context.Background())
	if w := got.Writers[0]; !errors.Is(got.StoreErr, message.ErrUnavailable) || w.Present || w.Applied != 4 || w.LagEntries != 6 {
		t.Errorf("no database: %+v", got)
	}
}

func TestPipeline_countsNothingOfAnotherStream(t *testing.T) {
	s := newStream(1, 10)
	s.status.ID = "S@2"
	got := s.pipeline(&database{applied: 700}).Status(context.Background())
	if w := got.Writers[0]; w.Applied != 0 || w.LagEntries != 10 {
		t.Errorf("%+v", w)
	}
}

func TestPipeline_anEmptyStreamHasNoLag(t *testing.T) {
	for _, s := range []*stream{newStream(0, 0), newStream(1, 0), newStream(101, 100)} {
		if w := s.pipeline(&database{}).Status(context.Background()).Writers[0]; !w.LagKnown || w.LagEntries != 0 || w.Lag != 0 {
			t.Errorf("%+v: %+v", s.status, w)
		}
	}
}

func TestPipeline_ratesCoverTheLastSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newStream(1, 0), &database{}
		p := s.pipeline(d)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		rates := func() (accepted, applied float64) {
			got := p.Status(ctx)
			return got.AcceptedPerSecond, got.AppliedPerSecond
		}
		step := func(accepted, applied uint64) {
			synctest.Wait()
			s.goTo(s.status.Last + accepted)
			d.apply(d.now() + applied)
			time.Sleep(time.Second)
		}
		if in, out := rates(); in != 0 || out != 0 {
			t.Errorf("at the start: %v, %v", in, out)
		}
		for range 20 {
			step(100, 50)
		}
		synctest.Wait()
		if in, out := rates(); in != 100 || out != 50 {
			t.Errorf("at work: %v, %v", in, out)
		}
		for range 12 {
			step(0, 0)
		}
		synctest.Wait()
		if in, out := rates(); in != 0 || out != 0 {
			t.Errorf("at rest: %v, %v", in, out)
		}
		synctest.Wait()
		s.goTo(3) // made anew
		time.Sleep(time.Second)
		synctest.Wait()
		if in, _ := rates(); in != 0 {
			t.Errorf("a new stream: %v", in)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
