package main

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/internal/source"
	"sluice/internal/stream"
	"sluice/pkg/message"
	"sluice/test/harness"
)

// filler puts entries into the stream of a running api, in order and without
// HTTP, as another api would.
type filler struct {
	t       testing.TB
	traffic traffic
	next    uint64 // message
	conn    *nats.Conn
	js      jetstream.JetStream
	refused chan error
}

// maxUnanswered bounds what the server has not acknowledged: it drops what comes
// behind ten thousand (nats-server, stream.go, StreamDefaultMaxQueueMsgs).
const maxUnanswered = 4096

func newFiller(t testing.TB, p *harness.Pipeline, tr traffic) *filler {
	t.Helper()
	f := &filler{t: t, traffic: tr, refused: make(chan error, 1)}
	var err error
	if f.conn, err = nats.Connect(p.NATS, nats.Token(harness.Token)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.conn.Close)
	f.js, err = jetstream.New(f.conn, jetstream.WithPublishAsyncMaxPending(maxUnanswered),
		jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, _ *nats.Msg, err error) {
			select {
			case f.refused <- err:
			default:
			}
		}))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// fill publishes the next n messages and returns the stream's last sequence once
// it has them. Repeats inside the dedup window get none.
func (f *filler) fill(ctx context.Context, n uint64) (last uint64) {
	f.t.Helper()
	for range n {
		m := f.traffic.message(f.next)
		f.next++
		if err := f.publish(&m); err != nil {
			f.t.Fatal(err)
		}
	}
	select {
	case <-f.js.PublishAsyncComplete():
	case <-ctx.Done():
		f.t.Fatal(ctx.Err())
	}
	select {
	case err := <-f.refused:
		f.t.Fatalf("fill the stream: %v", err)
	default:
	}
	s, err := f.js.Stream(ctx, stream.Name)
	if err != nil {
		f.t.Fatal(err)
	}
	return s.CachedInfo().State.LastSeq
}

func (f *filler) publish(m *message.Message) error {
	data, err := message.Marshal(m)
	if err != nil {
		return err
	}
	_, err = f.js.PublishMsgAsync(&nats.Msg{
		Subject: "webhooks." + source.PlainName,
		Header:  nats.Header{jetstream.MsgIDHeader: {message.HeaderID(m.ID)}},
		Data:    data,
	}, jetstream.WithStallWait(time.Minute))
	return err
}

// trickle publishes at a steady rate until ctx ends.
func (f *filler) trickle(ctx context.Context, rate float64) {
	const pause = 5 * time.Millisecond
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for due := 0.0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for due += rate * pause.Seconds(); due >= 1; due-- {
			m := f.traffic.message(f.next)
			f.next++
			if err := f.publish(&m); err != nil {
				f.t.Errorf("trickle: %v", err)
				return
			}
		}
	}
}

// unrepeated are the api's settings for streams that are filled without HTTP: the
// stream drops no repeats, as those that come late enough, and remembers no ids.
var unrepeated = map[string]string{"DEDUP_WINDOW": "100ms"}

// applied returns how far a pipeline's writer is.
func applied(p *harness.Pipeline) uint64 {
	return uint64(p.WriterMetrics()["sluice_writer_applied_sequence"])
}
