package stream_test

import (
	"context"
	"errors"
	"testing"

	"sluice/internal/stream"
	"sluice/internal/stream/streamtest"
)

func TestRequest_isAnsweredAcrossAReconnect(t *testing.T) {
	s := streamtest.Start(t)
	answering, asking := s.Connect(t), s.Connect(t)
	ask := func() (string, error) {
		answer, err := asking.Request(within(t), "sluice.writer.w.hello", []byte("you"))
		return string(answer), err
	}
	eventually(t, "the word that nobody is there", func() bool {
		_, err := ask()
		return errors.Is(err, stream.ErrNobody)
	})
	err := answering.Answer(t.Context(), "sluice.writer.w.hello", func(_ context.Context, data []byte) []byte {
		return append([]byte("hello "), data...)
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "an answer", func() bool {
		answer, err := ask()
		return err == nil && answer == "hello you"
	})

	listen := s.ClientURL()[len("nats://"):]
	s.Shutdown()
	eventually(t, "the server is gone", func() bool {
		_, err := ask()
		return err != nil
	})
	streamtest.StartIn(t, s.Dir, listen)
	eventually(t, "an answer again", func() bool {
		answer, err := ask()
		return err == nil && answer == "hello you"
	})
}
