package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"sluice/internal/ingest"
	"sluice/internal/source"
	"sluice/internal/store/storetest"
	"sluice/internal/writer"
	"sluice/pkg/message"
	"sluice/pkg/signature"
)

// cutOff is a stream that takes so many entries more and then is gone.
type cutOff struct {
	stream
	room int
}

var errGone = errors.New("the process was killed")

func (c *cutOff) PublishAll(ctx context.Context, entries []message.Entry) (receipts []message.Receipt, err error) {
	for _, e := range entries {
		r, err := c.Publish(ctx, e)
		if err != nil {
			return nil, err
		}
		receipts = append(receipts, r)
	}
	return receipts, nil
}

func (c *cutOff) Publish(ctx context.Context, e message.Entry) (message.Receipt, error) {
	if c.room == 0 {
		return message.Receipt{}, errGone
	}
	c.room--
	return c.stream.Publish(ctx, e)
}

// A delivery of any size that was cut off behind any of its entries, any number of
// times, and came again, with the dedup window over or not, gives each message,
// status and unknown part once.
func TestAccept_aDeliveryThatWasCutOffIsCompletedByItsRetry(t *testing.T) {
	whatsapp := source.NewWhatsApp(source.Secrets{Current: "secret"})
	seeds := uint64(30)
	if testing.Short() {
		seeds = 6
	}
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 8))
		c := &cutOff{stream: stream{seqs: map[string]uint64{}}}
		acceptor := ingest.New(ingest.Config{Publisher: c, Sources: []source.Source{whatsapp}, Metrics: metrics.NewSet(), Now: time.Now})
		messages, statuses, unknown := r.IntN(30), r.IntN(30), r.IntN(3)
		body := whatsappBody(messages, statuses, unknown)
		if messages+statuses+unknown == 0 {
			unknown = 1 // the delivery itself
		}
		n := messages + statuses + unknown

		var o ingest.Outcome
		for first := true; ; first = false {
			if r.IntN(3) == 0 {
				c.seqs = map[string]uint64{} // the dedup window is over
			}
			if c.room = n; first || r.IntN(2) == 0 {
				c.room = r.IntN(n + 1)
			}
			room := c.room
			var err error
			o, err = acceptor.Accept(t.Context(), signedBy(whatsapp, body))
			if err == nil && room < n || err != nil && room >= n || err != nil && !errors.Is(err, ingest.ErrUnavailable) {
				t.Fatalf("seed %d: room for %d of %d: %v", seed, room, n, err)
			}
			if err == nil {
				break
			}
		}
		if len(o.Receipts) != n {
			t.Fatalf("seed %d: %d receipts of %d", seed, len(o.Receipts), n)
		}
		wantRows(t, c.entries, messages, statuses, unknown)
	}
}

// whatsappBody is a delivery with so many parts.
func whatsappBody(messages, statuses, unknown int) string {
	parts := func(n int, format string) string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf(format, i)
		}
		return strings.Join(all, ",")
	}
	value := `{"metadata":{"display_phone_number":"15550100199"},"messages":[` + parts(messages, `{"from":"1","id":"wamid.%d","timestamp":"1","type":"audio"}`) +
		`],"statuses":[` + parts(statuses, `{"id":"wamid.%d","status":"read","timestamp":"1"}`) + `]}`
	changes := `{"field":"messages","value":` + value + `}`
	if messages+statuses == 0 {
		changes = ""
	}
	for i := range unknown {
		if changes != "" {
			changes += ","
		}
		changes += fmt.Sprintf(`{"field":"of the future","value":%d}`, i)
	}
	return `{"entry":[{"changes":[` + changes + `]}]}`
}

func signedBy(src source.Source, body string) ingest.Delivery {
	h := http.Header{}
	h.Set(signature.HubSHA256Header, signature.NewHubSHA256("secret").Sign([]byte(body)))
	return ingest.Delivery{Source: src, Header: h.Get, Body: []byte(body)}
}

// wantRows applies entries to a database and counts what it holds then.
func wantRows(t *testing.T, entries []message.Entry, messages, statuses, unknown int) {
	t.Helper()
	for i := range entries {
		entries[i].Seq, entries[i].AcceptedAt = uint64(i+1), time.Unix(int64(i), 0)
	}
	db, reader := storetest.Open(t)
	applied, err := db.Apply(t.Context(), writer.Decode("S@1", entries))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for i := range messages {
		if _, _, err := reader.Message(t.Context(), fmt.Sprint("wamid.", i)); err == nil {
			found++
		}
	}
	letters := map[string]bool{} // an unknown part that came twice is one dead letter with each of its sequences
	if err := reader.DeadLetters(t.Context(), func(d message.DeadLetter) error {
		letters[string(d.Data)] = true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if found != messages || applied.Inserted != messages || applied.Statuses != statuses || len(letters) != unknown || len(applied.Conflicts) != 0 {
		t.Fatalf("of %d messages, %d statuses, %d unknown: %d found, %+v, %d", messages, statuses, unknown, found, applied, len(letters))
	}
}

func TestMetrics_countEntriesByKind(t *testing.T) {
	set := metrics.NewSet()
	whatsapp := source.NewWhatsApp(source.Secrets{Current: "secret"})
	acceptor := ingest.New(ingest.Config{Publisher: &stream{seqs: map[string]uint64{}}, Sources: []source.Source{whatsapp}, Metrics: set, Now: time.Now})
	for _, body := range []string{whatsappBody(2, 3, 1), whatsappBody(4, 1, 1)} {
		if _, err := acceptor.Accept(t.Context(), signedBy(whatsapp, body)); err != nil {
			t.Fatal(err)
		}
	}
	var page strings.Builder
	set.WritePrometheus(&page)
	for labels, want := range map[string]int{
		`kind="message",result="created"`: 4, `kind="message",result="duplicate"`: 2,
		`kind="status",result="created"`: 3, `kind="status",result="duplicate"`: 1,
		`kind="unknown",result="created"`: 1, `kind="unknown",result="duplicate"`: 1,
	} {
		if line := fmt.Sprintf("webhook_entries_total{source=\"whatsapp\",%s} %d\n", labels, want); !strings.Contains(page.String(), line) {
			t.Errorf("no %sin\n%s", line, page.String())
		}
	}
}
