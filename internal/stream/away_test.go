package stream_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/internal/natsd"
	"sluice/internal/stream"
	"sluice/internal/stream/streamtest"
	"sluice/pkg/message"
)

// eventually polls until f holds.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(streamtest.Wait); !f(); {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// run runs a component until the test ends.
func run(t testing.TB, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func TestPublish_awayAtOnceAndBackByItself(t *testing.T) {
	s := streamtest.Start(t)
	c, err := stream.Connect(stream.ConnConfig{URL: s.ClientURL(), Token: streamtest.Token}, streamtest.Quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p, err := stream.NewPublisher(c, stream.PublisherConfig{}, metrics.NewSet(), streamtest.Quiet())
	if err != nil {
		t.Fatal(err)
	}
	run(t, p.Run)
	eventually(t, "it is ready", func() bool { return p.Ready() == nil })
	publish(t, p, 1, 1)

	url := s.ClientURL()[len("nats://"):]
	s.Shutdown()
	eventually(t, "it knows that the stream is away", func() bool { return errors.Is(p.Ready(), stream.ErrAway) })
	if _, err := p.Publish(within(t), streamtest.Entry(2)); !errors.Is(err, stream.ErrAway) {
		t.Errorf("got %v", err)
	}

	streamtest.StartIn(t, s.Dir, url)
	eventually(t, "it is ready again", func() bool { return p.Ready() == nil })
	publish(t, p, 2, 2)
}

func TestConnect_doesNotWaitForTheServer(t *testing.T) {
	c, err := stream.Connect(stream.ConnConfig{URL: "nats://127.0.0.1:1"}, streamtest.Quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p, err := stream.NewPublisher(c, stream.PublisherConfig{}, metrics.NewSet(), streamtest.Quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Publish(within(t), streamtest.Entry(1)); !errors.Is(err, stream.ErrAway) {
		t.Errorf("got %v", err)
	}
}

func TestPublish_nobodyAnswersForTheStream(t *testing.T) {
	s := streamtest.Start(t)
	p, err := stream.NewPublisher(s.ConnectInProcess(t), stream.PublisherConfig{}, metrics.NewSet(), streamtest.Quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Publish(within(t), streamtest.Entry(1)); !errors.Is(err, stream.ErrAway) {
		t.Errorf("got %v", err)
	}
}

// mute stands in the stream's place and never answers.
func mute(t *testing.T, cfg stream.PublisherConfig) *stream.Publisher {
	t.Helper()
	s := streamtest.Start(t)
	nc, err := nats.Connect(s.ClientURL(), nats.Token(streamtest.Token))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if _, err := nc.SubscribeSync("webhooks.>"); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	p, err := stream.NewPublisher(s.ConnectInProcess(t), cfg, metrics.NewSet(), streamtest.Quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestPublish_neverHangs(t *testing.T) {
	p := mute(t, stream.PublisherConfig{Timeout: 50 * time.Millisecond})
	ctx, cancel := context.WithCancel(within(t))
	cancel()
	if _, err := p.Publish(ctx, streamtest.Entry(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that went away: %v", err)
	}
	if _, err := p.Publish(within(t), streamtest.Entry(1)); !errors.Is(err, stream.ErrTimeout) {
		t.Errorf("got %v", err)
	}
}

// A disk that hangs in a sync shows in nothing but a publish that times out. Those
// behind it do not wait: they are told, before they notice that their caller has gone.
func TestPublish_afterATimeoutNobodyWaitsUntilSomebodyIsAnswered(t *testing.T) {
	held := make(chan struct{})
	p := streamtest.Start(t).Publisher(t, stream.PublisherConfig{
		Timeout: 100 * time.Millisecond, Commit: group(t, func(int) error { <-held; return nil }),
	})
	if _, err := p.Publish(within(t), streamtest.Entry(1)); !errors.Is(err, stream.ErrTimeout) {
		t.Errorf("the first: %v", err)
	}
	gone, cancel := context.WithCancel(within(t))
	cancel()
	eventually(t, "refused at once", func() bool { // but for the one each second that tries
		_, err := p.Publish(gone, streamtest.Entry(2))
		_, errAll := p.PublishAll(gone, entries(3, 4))
		return errors.Is(err, stream.ErrTimeout) && errors.Is(errAll, stream.ErrTimeout)
	})
	close(held)
	eventually(t, "taken again", func() bool {
		_, err := p.Publish(within(t), streamtest.Entry(4))
		return err == nil
	})
	publish(t, p, 5, 6)
}

// A server that meets a write error never answers. Whoever waits for it by then is
// told, long before the publish's own timeout.
func TestPublish_thoseWhoWaitForAServerThatIsStuckAreRefused(t *testing.T) {
	s := streamtest.Start(t)
	run(t, s.Run)
	small := stream.Config{MaxBytes: natsd.ProbeStreamBytes} // so that a block is soon full
	p := s.Publisher(t, stream.PublisherConfig{Stream: small, Timeout: time.Hour, Refuse: s.Fit})
	run(t, p.Run)
	inTheWay := filepath.Join(s.Dir, "jetstream", "$G", "streams", stream.Name, "msgs", "2.blk", "x")
	if err := os.MkdirAll(inTheWay, 0o755); err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		if _, err := p.Publish(within(t), streamtest.Entry(n)); err == nil {
			continue
		} else if !errors.Is(err, stream.ErrRefused) || !errors.Is(err, natsd.ErrStuck) {
			t.Errorf("after %d entries: %v", n, err)
		}
		return
	}
}

func TestPublish_tooManyWaiting(t *testing.T) {
	p := mute(t, stream.PublisherConfig{Timeout: streamtest.Wait, MaxWaiting: 3})
	ctx, cancel := context.WithCancel(within(t))
	var wg sync.WaitGroup
	for n := range 3 {
		wg.Go(func() {
			for err := stream.ErrOverloaded; errors.Is(err, stream.ErrOverloaded); { // the probe below may be in the way
				_, err = p.Publish(ctx, streamtest.Entry(n))
			}
		})
	}
	eventually(t, "the fourth is refused", func() bool {
		// It gives up at once, so as not to be one of those who wait.
		gone, giveUp := context.WithCancel(ctx)
		giveUp()
		_, err := p.Publish(gone, streamtest.Entry(4))
		return errors.Is(err, stream.ErrOverloaded)
	})
	cancel()
	wg.Wait()
}

func TestClose_answersWhatItLetInAndLetsNobodyElseIn(t *testing.T) {
	held := make(chan struct{})
	s := streamtest.Start(t)
	p := s.Publisher(t, stream.PublisherConfig{Commit: group(t, func(int) error { <-held; return nil })})
	answered := make(chan error, 1)
	go func() {
		_, err := p.Publish(within(t), streamtest.Entry(1))
		answered <- err
	}()
	c := s.Consumer(t, "writer")
	begin(t, c, 0)
	fetch(t, c, 1) // it is in the stream, and waits for its commit

	closed := make(chan struct{})
	go func() { p.Close(); close(closed) }()
	eventually(t, "nobody is let in", func() bool {
		ctx, cancel := context.WithTimeout(within(t), time.Millisecond)
		defer cancel()
		_, err := p.Publish(ctx, streamtest.Entry(2))
		return errors.Is(err, stream.ErrStopping)
	})
	select {
	case <-closed:
		t.Error("it closed before the answer")
	default:
	}
	close(held)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	<-closed
}

func TestConsumer_saysThatTheStreamWentAwayAndOpensAgain(t *testing.T) {
	s := streamtest.Start(t)
	publish(t, s.Publisher(t, stream.PublisherConfig{}), 1, 3)
	c := s.Consumer(t, "writer")
	before := begin(t, c, 0)
	fetch(t, c, 3)

	url := s.ClientURL()[len("nats://"):]
	s.Shutdown()
	if _, err := c.Fetch(within(t), 1, time.Millisecond); !errors.Is(err, message.ErrDisconnected) {
		t.Errorf("fetch: %v", err)
	}
	if _, err := c.Entry(within(t), 1); !errors.Is(err, message.ErrDisconnected) {
		t.Errorf("entry: %v", err)
	}
	if err := c.Begin(within(t), 0); !errors.Is(err, message.ErrDisconnected) {
		t.Errorf("begin: %v", err)
	}

	s = streamtest.StartIn(t, s.Dir, url)
	publish(t, s.Publisher(t, stream.PublisherConfig{}), 4, 4)
	if after := begin(t, c, 3); after.ID != before.ID || after.Last != 4 {
		t.Errorf("%+v became %+v", before, after)
	}
	if e := fetch(t, c, 1)[0]; e.Seq != 4 {
		t.Errorf("got %d", e.Seq)
	}
}

func TestConsumer_aSessionEndsWithItsConnection(t *testing.T) {
	s := streamtest.Start(t)
	publish(t, s.Publisher(t, stream.PublisherConfig{}), 1, 3)
	c := s.Consumer(t, "writer")
	begin(t, c, 0)
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	// It may be connected again by now: the writer must prove its checkpoint all the same.
	eventually(t, "the session has ended", func() bool {
		_, err := c.Entry(within(t), 1)
		return errors.Is(err, message.ErrDisconnected)
	})
	begin(t, c, 0)
	fetch(t, c, 3)
}

func TestConsumer_aConsumerThatWasTakenAwayIsNoticed(t *testing.T) {
	s := streamtest.Start(t)
	publish(t, s.Publisher(t, stream.PublisherConfig{}), 1, 1)
	c := s.Consumer(t, "writer")
	begin(t, c, 0)
	fetch(t, c, 1)
	if err := s.JetStream(t).DeleteConsumer(within(t), stream.Name, "writer"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Fetch(within(t), 1, time.Millisecond); !errors.Is(err, message.ErrDisconnected) {
		t.Errorf("got %v", err)
	}
}

func TestConsumer_openEndsWithItsCaller(t *testing.T) {
	conn, err := stream.Connect(stream.ConnConfig{URL: "nats://127.0.0.1:1"}, streamtest.Quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := stream.NewConsumer(conn, stream.ConsumerConfig{Name: "writer"}, streamtest.Quiet())
	ctx, cancel := context.WithCancel(within(t))
	cancel()
	if _, err := c.Open(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFetch_endsWithItsCaller(t *testing.T) {
	s := streamtest.Start(t)
	s.Publisher(t, stream.PublisherConfig{})
	c := s.Consumer(t, "writer")
	begin(t, c, 0)
	ctx, cancel := context.WithTimeout(within(t), 10*time.Millisecond)
	defer cancel()
	if _, err := c.Fetch(ctx, 1, time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	publish(t, s.Publisher(t, stream.PublisherConfig{}), 1, 1)
	fetch(t, c, 1) // the session goes on
}

func TestFetch_givesOutWhatCameBeforeItsCallerEnded(t *testing.T) {
	s := streamtest.Start(t)
	p := s.Publisher(t, stream.PublisherConfig{})
	publish(t, p, 1, 2)
	c := s.Consumer(t, "writer")
	begin(t, c, 0)
	var got []message.Entry
	eventually(t, "something came before its caller ended", func() bool {
		ctx, cancel := context.WithTimeout(within(t), 50*time.Millisecond)
		defer cancel()
		var err error
		got, err = c.Fetch(ctx, 10, streamtest.Wait)
		return err == nil
	})
	publish(t, p, 3, 3)
	got = append(got, fetch(t, c, 3-len(got))...)
	for i, e := range got {
		if e.Seq != uint64(i+1) {
			t.Errorf("entry %d is %d", i+1, e.Seq)
		}
	}
}

func TestFetch_noticesADeliveryThatWentElsewhere(t *testing.T) {
	s := streamtest.Start(t)
	p := s.Publisher(t, stream.PublisherConfig{})
	c := s.Consumer(t, "writer")
	begin(t, c, 0)
	publish(t, p, 1, 1)
	fetch(t, c, 1) // its request is with the server

	thief, err := s.JetStream(t).Consumer(within(t), stream.Name, "writer")
	if err != nil {
		t.Fatal(err)
	}
	stolen := make(chan error, 1)
	go func() {
		_, err := thief.Next(jetstream.FetchMaxWait(streamtest.Wait))
		stolen <- err
	}()
	next := 2
	eventually(t, "the gap is an error", func() bool {
		publish(t, p, next, next)
		next++
		_, err := c.Fetch(within(t), 1, time.Millisecond)
		return errors.Is(err, message.ErrDisconnected)
	})
	if err := <-stolen; err != nil {
		t.Error(err)
	}
}

func TestConsumer_beginsAgainWithoutLosingAnything(t *testing.T) {
	s := streamtest.Start(t)
	publish(t, s.Publisher(t, stream.PublisherConfig{}), 1, 20)
	c := s.Consumer(t, "writer")
	begin(t, c, 0)
	for n := range uint64(50) {
		after := n % 20
		if err := c.Begin(within(t), after); err != nil {
			t.Fatal(err)
		}
		for i, e := range fetch(t, c, int(20-after)) {
			if want := after + uint64(i) + 1; e.Seq != want {
				t.Fatalf("behind %d came %d, want %d", after, e.Seq, want)
			}
		}
	}
}
