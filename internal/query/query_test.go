package query

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sluice/pkg/message"
)

func TestService_waitsBeforeItReads(t *testing.T) {
	simulate(t, func(t *testing.T) {
		d := &database{}
		s := New(Config{Reader: d, Acked: func() uint64 { return 3 }, ReadWait: readWait})
		time.AfterFunc(time.Millisecond/2, func() { d.apply(3) })
		time.AfterFunc(10*time.Millisecond, func() { d.apply(4) })
		time.AfterFunc(20*time.Millisecond, func() { d.apply(5) })
		time.AfterFunc(30*time.Millisecond, func() { d.apply(6) })

		page, err := s.Messages(context.Background(), MessagesQuery{})
		if err != nil || page.Applied != 3 {
			t.Errorf("messages at %d, %v", page.Applied, err)
		}
		page, err = s.Messages(context.Background(), MessagesQuery{AfterSeq: 4})
		if err != nil || page.Applied != 4 {
			t.Errorf("messages at %d, %v", page.Applied, err)
		}
		if _, applied, err := s.Message(context.Background(), "a", 5); err != nil || applied != 5 {
			t.Errorf("message at %d, %v", applied, err)
		}
		if stats, err := s.Stats(context.Background(), 6); err != nil || stats.Applied != 6 {
			t.Errorf("stats at %d, %v", stats.Applied, err)
		}
	})
}

func TestService_findsNoMessageUnderAnIDThatNobodyCanHave(t *testing.T) {
	s := New(Config{Reader: &database{}, Acked: func() uint64 { return 0 }})
	for _, id := range []string{"", strings.Repeat("a", message.MaxIDBytes+1), "\xff"} {
		if _, _, err := s.Message(context.Background(), id, 0); !errors.Is(err, message.ErrNotFound) {
			t.Errorf("%.20q: %v", id, err)
		}
	}
}

func TestService_boundsAQuestion(t *testing.T) {
	simulate(t, func(t *testing.T) {
		d := &database{hang: true}
		s := New(Config{Reader: d, Acked: func() uint64 { return 0 }, Timeout: time.Second})
		start := time.Now()
		_, err := s.Messages(context.Background(), MessagesQuery{})
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
			t.Errorf("after %v: %v", took, err)
		}
	})
}
