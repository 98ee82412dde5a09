package stream_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"sluice/internal/stream"
	"sluice/internal/stream/streamtest"
	"sluice/pkg/message"
)

// within returns a context that ends the test's waiting.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), streamtest.Wait)
	t.Cleanup(cancel)
	return ctx
}

// publish publishes entries number from to to.
func publish(t testing.TB, p *stream.Publisher, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		if _, err := p.Publish(within(t), streamtest.Entry(n)); err != nil {
			t.Fatal(err)
		}
	}
}

// begin opens c and begins behind after.
func begin(t testing.TB, c *stream.Consumer, after uint64) message.StreamState {
	t.Helper()
	state, err := c.Open(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Begin(within(t), after); err != nil {
		t.Fatal(err)
	}
	return state
}

// fetch fetches n entries.
func fetch(t testing.TB, c *stream.Consumer, n int) []message.Entry {
	t.Helper()
	var all []message.Entry
	for len(all) < n {
		got, err := c.Fetch(within(t), n-len(all), 10*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, got...)
	}
	return all
}

func TestPublish_isFetchedAsItWas(t *testing.T) {
	s := streamtest.Start(t)
	p := s.Publisher(t, stream.PublisherConfig{})
	want := streamtest.Entry(1)
	want.Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	before := time.Now()
	receipt, err := p.Publish(within(t), want)
	if err != nil || receipt.Seq != 1 || receipt.Duplicate {
		t.Fatalf("%+v, %v", receipt, err)
	}
	if p.Acknowledged() != 1 {
		t.Errorf("acknowledged %d", p.Acknowledged())
	}

	c := s.Consumer(t, "writer")
	begin(t, c, 0)
	got := fetch(t, c, 1)[0]
	if got.AcceptedAt.Before(before) || got.AcceptedAt.After(time.Now()) || got.AcceptedAt.Location() != time.UTC {
		t.Errorf("accepted at %v", got.AcceptedAt)
	}
	read, err := c.Entry(within(t), 1)
	if err != nil || fmt.Sprint(read) != fmt.Sprint(got) {
		t.Errorf("Entry gives %+v, %v; Fetch gave %+v", read, err, got)
	}
	got.AcceptedAt, want.Seq = time.Time{}, 1
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestPublish_aRepeatIsADuplicateOfTheFirst(t *testing.T) {
	p := streamtest.Start(t).Publisher(t, stream.PublisherConfig{})
	publish(t, p, 1, 3)
	receipt, err := p.Publish(within(t), streamtest.Entry(2))
	if err != nil || receipt.Seq != 2 || !receipt.Duplicate {
		t.Errorf("%+v, %v", receipt, err)
	}
}

func TestPublish_concurrentCallersGetTheirOwnReceipts(t *testing.T) {
	s := streamtest.Start(t)
	p := s.Publisher(t, stream.PublisherConfig{})
	const n = 500
	var mu sync.Mutex
	bySeq := map[uint64]string{}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			e := streamtest.Entry(i)
			r, err := p.Publish(within(t), e)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			bySeq[r.Seq] = e.MsgID
			mu.Unlock()
		})
	}
	wg.Wait()
	c := s.Consumer(t, "writer")
	begin(t, c, 0)
	for i, e := range fetch(t, c, n) {
		if e.Seq != uint64(i+1) || bySeq[e.Seq] != e.MsgID {
			t.Fatalf("entry %d is %s, its receipt said %s", e.Seq, e.MsgID, bySeq[e.Seq])
		}
	}
}

func TestPublish_fullIsAnErrorAndDropsNothing(t *testing.T) {
	s := streamtest.Start(t)
	p := s.Publisher(t, stream.PublisherConfig{Stream: stream.Config{MaxBytes: 100_000}})
	taken := 0
	for ; taken < 10_000; taken++ {
		if _, err := p.Publish(within(t), streamtest.Entry(taken)); errors.Is(err, stream.ErrFull) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	c := s.Consumer(t, "writer")
	state := begin(t, c, 0)
	if state.First != 1 || state.Last != uint64(taken) {
		t.Errorf("took %d, the stream holds %d to %d", taken, state.First, state.Last)
	}
}

func TestPublish_refusedAtOnce(t *testing.T) {
	low := errors.New("low disk")
	p := streamtest.Start(t).Publisher(t, stream.PublisherConfig{Refuse: func() error { return low }})
	_, err := p.Publish(within(t), streamtest.Entry(1))
	if !errors.Is(err, stream.ErrRefused) || !errors.Is(err, low) {
		t.Errorf("got %v", err)
	}
}

func TestPublish_refusesWhatAHeaderOrASubjectCannotHold(t *testing.T) {
	p := streamtest.Start(t).Publisher(t, stream.PublisherConfig{})
	for _, change := range []func(*message.Entry){
		func(e *message.Entry) { e.MsgID = "" },
		func(e *message.Entry) { e.MsgID = "a\r\nNats-Expected-Stream: X" },
		func(e *message.Entry) { e.MsgID = " a" },
		func(e *message.Entry) { e.Source = "" },
		func(e *message.Entry) { e.Source = "a.b" },
		func(e *message.Entry) { e.Source = ">" },
	} {
		e := streamtest.Entry(1)
		change(&e)
		if r, err := p.Publish(within(t), e); err == nil {
			t.Errorf("%+v was taken: %+v", e, r)
		}
	}
}

func TestConsumer_beginsBehindAnyEntry(t *testing.T) {
	s := streamtest.Start(t)
	publish(t, s.Publisher(t, stream.PublisherConfig{}), 1, 10)
	c := s.Consumer(t, "writer")
	for _, after := range []uint64{0, 7, 3, 9} {
		begin(t, c, after)
		for i, e := range fetch(t, c, int(10-after)) {
			if want := after + uint64(i) + 1; e.Seq != want {
				t.Fatalf("behind %d came %d, want %d", after, e.Seq, want)
			}
		}
		if err := c.Ack(within(t), 10); err != nil {
			t.Fatal(err)
		}
	}
}

func TestConsumer_entryThatIsNotThere(t *testing.T) {
	s := streamtest.Start(t)
	publish(t, s.Publisher(t, stream.PublisherConfig{}), 1, 2)
	c := s.Consumer(t, "writer")
	begin(t, c, 0)
	for _, seq := range []uint64{3, 1 << 40} {
		if _, err := c.Entry(within(t), seq); !errors.Is(err, message.ErrNoEntry) || errors.Is(err, message.ErrTrimmed) {
			t.Errorf("%d: %v", seq, err)
		}
	}
}

func TestConsumer_entryThatWasTrimmedSinceOpen(t *testing.T) {
	s := streamtest.Start(t)
	publish(t, s.Publisher(t, stream.PublisherConfig{}), 1, 5)
	c := s.Consumer(t, "writer")
	begin(t, c, 3)
	if e, err := c.Entry(within(t), 3); err != nil || e.Seq != 3 {
		t.Fatalf("%+v, %v", e, err)
	}
	trim(t, trimmer(t, s, 0, nil))
	for _, seq := range []uint64{0, 1, 3} {
		if _, err := c.Entry(within(t), seq); !errors.Is(err, message.ErrTrimmed) || !errors.Is(err, message.ErrNoEntry) {
			t.Errorf("%d: %v", seq, err)
		}
	}
	if e, err := c.Entry(within(t), 4); err != nil || e.Seq != 4 {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestBegin_noticesAStreamMadeAnewSinceOpen(t *testing.T) {
	s := streamtest.Start(t)
	p := s.Publisher(t, stream.PublisherConfig{})
	c := s.Consumer(t, "writer")
	publish(t, p, 1, 3)
	if _, err := c.Open(within(t)); err != nil {
		t.Fatal(err)
	}
	s.MakeAnew(t, stream.Config{})
	if err := c.Begin(within(t), 3); !errors.Is(err, message.ErrDisconnected) || !errors.Is(err, stream.ErrAnotherStream) {
		t.Errorf("got %v", err)
	}
	begin(t, c, 0)
	s.MakeAnew(t, stream.Config{})
	if e, err := c.Entry(within(t), 3); !errors.Is(err, stream.ErrAnotherStream) {
		t.Errorf("got %+v, %v", e, err)
	}
	if state, err := c.Open(within(t)); err != nil || state.Last != 0 {
		t.Errorf("%+v, %v", state, err)
	}
	if err := c.Begin(within(t), 0); err != nil {
		t.Error(err)
	}
}
