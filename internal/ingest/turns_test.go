package ingest_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"sluice/internal/ingest"
	"sluice/internal/source"
	"sluice/pkg/message"
)

// slow is a stream that takes a second for a publish, and knows how many it is
// asked for at a time.
type slow struct {
	mu        sync.Mutex
	now, most int
}

func (s *slow) Publish(context.Context, message.Entry) (message.Receipt, error) {
	s.mu.Lock()
	s.now++
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	time.Sleep(time.Second)
	s.mu.Lock()
	s.now--
	s.mu.Unlock()
	return message.Receipt{Seq: 1}, nil
}

func (s *slow) PublishAll(ctx context.Context, entries []message.Entry) ([]message.Receipt, error) {
	_, err := s.Publish(ctx, entries[0])
	return make([]message.Receipt, len(entries)), err
}

// Large deliveries take turns, and one that waits for too long is refused before
// anything is done for it. Small ones do not wait for them.
func TestAccept_largeDeliveriesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		whatsapp, s := source.NewWhatsApp(source.Secrets{Current: "secret"}), &slow{}
		acceptor := ingest.New(ingest.Config{Publisher: s, Sources: []source.Source{whatsapp}, Metrics: metrics.NewSet(), Now: time.Now})
		large := signedBy(whatsapp, whatsappBody(2, 0, 0)+strings.Repeat(" ", 64<<10))
		small := signedBy(whatsapp, whatsappBody(1, 0, 0))
		var mu sync.Mutex
		kept, refused := 0, 0
		var all sync.WaitGroup
		for range 30 {
			all.Go(func() {
				_, err := acceptor.Accept(t.Context(), large)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					kept++
				} else if errors.Is(err, ingest.ErrUnavailable) {
					refused++
				}
			})
		}
		synctest.Wait()
		began := time.Now()
		if _, err := acceptor.Accept(t.Context(), small); err != nil || time.Since(began) > time.Second {
			t.Errorf("a small one: after %v, %v", time.Since(began), err)
		}
		all.Wait()
		// Turns begin after 0, 1 and 2 seconds, and just at the end of the third.
		if s.most != 5 || kept < 12 || kept > 16 || kept+refused != 30 {
			t.Errorf("%d at once, %d kept, %d refused", s.most, kept, refused)
		}
	})
}
