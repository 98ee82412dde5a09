package fault

import (
	"context"
	"testing"
	"time"

	"sluice/pkg/message"
	"sluice/test/harness"
	"sluice/test/load"
)

// hang is how long no request may take, whatever is broken. It is there to find
// requests that never end, and says nothing about speed.
const hang = 5 * time.Second

// senders post messages until they are stopped, as good senders do: what was not
// answered 200 they post again.
type senders struct {
	t      *testing.T
	load   load.Config
	ledger *load.Ledger // what was acknowledged so far
	cancel context.CancelFunc
	done   chan *load.Result
}

// send starts senders. They go on until stop.
func send(t *testing.T, p *harness.Pipeline, c load.Config) *senders {
	t.Helper()
	c.Addr, c.Secret, c.Retry = p.Addr, harness.Secret, true
	if c.Connections == 0 {
		c.Connections = 16
	}
	if c.Ledger == nil {
		c.Ledger = &load.Ledger{}
	}
	c.First = c.Ledger.Next()
	if c.Timeout == 0 {
		c.Timeout = hang
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &senders{t: t, load: c, ledger: c.Ledger, cancel: cancel, done: make(chan *load.Result, 1)}
	go func() { s.done <- load.Run(ctx, c) }()
	return s
}

// more waits until so many messages more have been acknowledged.
func (s *senders) more(count int) {
	s.t.Helper()
	want := s.ledger.Len() + count
	harness.Eventually(s.t, "more acknowledged messages", func() bool { return s.ledger.Len() >= want })
}

// stop ends the senders and returns what became of their requests.
func (s *senders) stop() *load.Result {
	s.cancel()
	res := <-s.done
	s.t.Log(res)
	return res
}

// post posts count messages, and returns the last one's sequence once all are
// acknowledged.
func post(t *testing.T, p *harness.Pipeline, c load.Config, count int) uint64 {
	t.Helper()
	c.Addr, c.Secret, c.Retry, c.Timeout = p.Addr, harness.Secret, true, hang
	c.Connections, c.Count, c.First = 16, uint64(count), c.Ledger.Next()
	return load.Run(t.Context(), c).LastSeq
}

// wantNoHang fails the test when requests got no answer.
func wantNoHang(t *testing.T, res *load.Result) {
	t.Helper()
	if res.Errors > 0 {
		t.Errorf("%d requests got no answer within %v or were cut off: %v", res.Errors, hang, res.LastErr)
	}
}

// wantOnly fails the test when there were other answers than these.
func wantOnly(t *testing.T, res *load.Result, statuses ...uint64) {
	t.Helper()
	for status, n := range res.Statuses {
		known := false
		for _, s := range statuses {
			known = known || uint64(status) == s
		}
		if !known {
			t.Errorf("%d requests were answered %d", n, status)
		}
	}
}

// numbered returns message n of the senders' default payload.
func numbered(n uint64) message.Message { return load.Payload{}.WithDefaults().Message(n) }
