package browser

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/pkg/message"
	"sluice/test/harness"
)

// work is a pipeline with what these tests put into it.
type work struct{ *harness.Pipeline }

// start runs a pipeline, behind an operator's token unless that is empty.
func start(t *testing.T, token string) *work {
	t.Helper()
	return &work{harness.Start(t, harness.Options{API: map[string]string{"OPERATOR_TOKEN": token, "READ_WAIT": "20s"}})}
}

// deadLetter puts bytes that are no message into the stream and waits until the
// writer has kept them aside. It returns their sequence.
func (p *work) deadLetter(t *testing.T, data string) uint64 {
	t.Helper()
	nc, err := nats.Connect(p.NATS, nats.Token(harness.Token), nats.Timeout(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ack, err := js.Publish(t.Context(), "webhooks.plain", []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the dead letter", func() bool {
		return p.WriterMetrics()[`sluice_writer_applied_sequence`] >= float64(ack.Sequence)
	})
	return ack.Sequence
}

// hello is a valid message with that id.
func hello(id, text string) message.Message {
	return message.Message{ID: id, From: "+919876543210", To: "+14155550100", TS: "2025-01-15T10:00:00Z", Text: &text}
}

// numbered returns n valid messages, a second apart, whose ids start with prefix.
func (p *work) numbered(prefix string, n int) []message.Message {
	var all []message.Message
	for i := range n {
		m := hello(fmt.Sprintf("%s%03d", prefix, i), fmt.Sprintf("%s number %d", prefix, i))
		m.TS = time.Date(2025, 1, 15, 10, 0, i, 0, time.UTC).Format(time.RFC3339)
		all = append(all, m)
	}
	return all
}

// logIn fills in the form.
func (g *page) logIn(token string) {
	g.t.Helper()
	g.do(chromedp.SendKeys(chromedp.CSS("#token"), token+"\r"))
}
