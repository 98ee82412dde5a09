package system

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sluice/test/harness"
)

// connect returns a connection to the embedded server, with the token.
func connect(t *testing.T, p *harness.Pipeline) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(p.NATS, nats.Token(harness.Token), nats.Timeout(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// publish puts bytes into the stream behind the api's back.
func publish(t *testing.T, p *harness.Pipeline, subject, data string) uint64 {
	t.Helper()
	ack, err := connect(t, p).Publish(t.Context(), subject, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return ack.Sequence
}

func TestDeadLetters_blockNobody(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.Post(hello("before"))
	garbage := []string{
		"", "garbage", "{", `{"v":1}`, `{"v":99,"message_id":"x"}`, "\xff\x00",
		`{"v":1,"message_id":"x","from":"nobody","to":"+2","ts":"2025-01-15T10:00:00Z"}`,
	}
	sequences := map[uint64]string{}
	for _, data := range garbage {
		sequences[publish(t, p, "webhooks.plain", data)] = data
		p.Post(hello("after " + data[:min(len(data), 12)] + "."))
	}
	if page := p.Messages(); page.Total != 1+len(garbage) {
		t.Errorf("%d messages came through", page.Total)
	}
	if got := p.WriterMetrics()[`sluice_writer_messages_total{result="dead_letter"}`]; got != float64(len(garbage)) {
		t.Errorf("the writer counts %v dead letters", got)
	}

	rows, err := p.Open().Query(`SELECT seq, reason, data FROM dead_letters`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var (
			seq    uint64
			reason string
			data   []byte
		)
		if err := rows.Scan(&seq, &reason, &data); err != nil {
			t.Fatal(err)
		}
		if want, ok := sequences[seq]; !ok || reason == "" || string(data) != want {
			t.Errorf("dead letter %d: %q because %q, want %q", seq, data, reason, want)
		}
		delete(sequences, seq)
	}
	if len(sequences) > 0 {
		t.Errorf("not kept aside: %v", sequences)
	}
}

func TestNATS_wantsTheToken(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, option := range []nats.Option{nats.Token(""), nats.Token("wrong"), nats.UserInfo("admin", "admin")} {
		if nc, err := nats.Connect(p.NATS, option); err == nil {
			nc.Close()
			t.Error("a client without the token got in")
		}
	}
	connect(t, p)
}
