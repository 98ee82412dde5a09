package query

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"sluice/pkg/message"
)

func TestHistory_tellsWhenSomethingWasStored(t *testing.T) {
	var h history
	start := time.Date(2025, 1, 15, 10, 0, 0, 0, time.UTC)
	for i, applied := range []uint64{5, 5, 9, 9, 30} {
		h.add(Moment{At: start.Add(time.Duration(i) * time.Second), Applied: applied})
	}
	for seq, want := range map[uint64]int{6: 2, 9: 2, 10: 4, 30: 4} {
		if at, ok := h.storedBy(seq); !ok || !at.Equal(start.Add(time.Duration(want)*time.Second)) {
			t.Errorf("%d: %v, %v", seq, at, ok)
		}
	}
	for _, unknown := range []uint64{1, 5, 31} {
		if at, ok := h.storedBy(unknown); ok {
			t.Errorf("%d: %v", unknown, at)
		}
	}
	if got := h.since(start.Add(3 * time.Second)); len(got) != 2 || got[0].Applied != 9 {
		t.Errorf("since: %v", got)
	}
	h.add(Moment{At: start.Add(time.Minute), Applied: 2})
	if got := h.since(start); len(got) != 1 {
		t.Errorf("after the database went back: %v", got)
	}
}

func TestHistory_isBounded(t *testing.T) {
	var h history
	for i := range 20_000 {
		h.add(Moment{At: time.Unix(int64(i), 0), Applied: uint64(i)})
	}
	if n := len(h.since(time.Time{})); n < 3600 || n > 7200 {
		t.Errorf("%d moments", n)
	}
}

func TestPipeline_remembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newStream(1, 7), &database{applied: 3}
		p := s.pipeline(d)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(10500 * time.Millisecond)
		d.apply(6)
		time.Sleep(time.Second)
		synctest.Wait()
		got := p.History(5 * time.Second)
		if len(got) != 5 || got[0].Accepted != 7 || got[0].Applied != 3 || got[4].Applied != 6 {
			t.Errorf("%+v", got)
		}
		if at, ok := p.StoredBy(4); !ok || !at.Equal(got[4].At) {
			t.Errorf("%v, %v", at, ok)
		}
		cancel()
		<-done
	})
}

func TestPipeline_entryIsTheOneOrNone(t *testing.T) {
	s := newStream(1, 7)
	p := s.pipeline(&database{})
	if e, err := p.Entry(context.Background(), 7); err != nil || e.Seq != 7 {
		t.Errorf("%+v, %v", e, err)
	}
	for _, gone := range []uint64{0, 8} {
		if _, err := p.Entry(context.Background(), gone); !errors.Is(err, message.ErrNotFound) {
			t.Errorf("%d: %v", gone, err)
		}
	}
}
