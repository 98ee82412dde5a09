package stream_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"sluice/internal/stream"
	"sluice/internal/stream/streamtest"
	"sluice/pkg/message"
)

// entries returns entries number from to to.
func entries(from, to int) (all []message.Entry) {
	for n := from; n <= to; n++ {
		all = append(all, streamtest.Entry(n))
	}
	return all
}

func TestPublishAll_keepsTheOrderHoweverManyThereAre(t *testing.T) {
	p := streamtest.Start(t).Publisher(t, stream.PublisherConfig{Timeout: streamtest.Wait})
	publish(t, p, 1500, 1500)
	receipts, err := p.PublishAll(within(t), entries(1, 2500))
	if err != nil || len(receipts) != 2500 {
		t.Fatal(len(receipts), err)
	}
	for i, r := range receipts {
		want := message.Receipt{Seq: uint64(i) + 2}
		switch n := i + 1; {
		case n == 1500:
			want = message.Receipt{Seq: 1, Duplicate: true}
		case n > 1500:
			want.Seq--
		}
		if r != want {
			t.Fatalf("entry %d: %+v, want %+v", i+1, r, want)
		}
	}
	if p.Acknowledged() != 2500 {
		t.Errorf("acknowledged %d", p.Acknowledged())
	}
	if receipts, err := p.PublishAll(within(t), nil); err != nil || len(receipts) != 0 {
		t.Errorf("nothing: %v, %v", receipts, err)
	}
}

// However little may wait, many who publish at once all get through, and those
// who publish one entry are not kept out by those who publish many.
func TestPublishAll_takesTurns(t *testing.T) {
	p := streamtest.Start(t).Publisher(t, stream.PublisherConfig{Timeout: streamtest.Wait, MaxWaiting: 20})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := p.PublishAll(within(t), entries(i*100, i*100+99)); err != nil {
				t.Error(err)
			}
			if _, err := p.Publish(within(t), streamtest.Entry(1000+i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if p.Acknowledged() != 808 {
		t.Errorf("acknowledged %d", p.Acknowledged())
	}
}

func TestPublishAll_failsWhenOneFails(t *testing.T) {
	s := streamtest.Start(t)
	p := s.Publisher(t, stream.PublisherConfig{Stream: stream.Config{MaxBytes: 64 << 10}, Timeout: streamtest.Wait})
	if _, err := p.PublishAll(within(t), entries(1, 1000)); !errors.Is(err, stream.ErrFull) {
		t.Errorf("into a stream that is full on the way: %v", err)
	}
	bad := entries(1, 2)
	bad[1].MsgID = "two lines\n"
	if _, err := p.PublishAll(within(t), bad); err == nil {
		t.Error("an id that no header holds was taken")
	}
	silent := mute(t, stream.PublisherConfig{Timeout: 50 * time.Millisecond})
	if _, err := silent.PublishAll(within(t), entries(1, 3)); !errors.Is(err, stream.ErrTimeout) {
		t.Errorf("nobody answers: %v", err)
	}
	p.Close()
	if _, err := p.PublishAll(within(t), entries(1, 3)); !errors.Is(err, stream.ErrStopping) {
		t.Errorf("after Close: %v", err)
	}
}

func BenchmarkPublishAll(b *testing.B) {
	p := streamtest.Start(b).Publisher(b, stream.PublisherConfig{Timeout: streamtest.Wait})
	all := make([]message.Entry, 1000)
	for i := 0; b.Loop(); i++ {
		for j := range all {
			all[j] = streamtest.Entry(j)
			all[j].MsgID = fmt.Sprintf("%d-%d", i, j)
		}
		if _, err := p.PublishAll(within(b), all); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "entries/s")
}
