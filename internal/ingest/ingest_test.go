package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"sluice/internal/ingest"
	"sluice/internal/source"
	"sluice/pkg/message"
	"sluice/pkg/signature"
)

// stream is a Publisher in memory.
type stream struct {
	mu      sync.Mutex
	entries []message.Entry
	seqs    map[string]uint64
	err     error
}

func (s *stream) Publish(_ context.Context, e message.Entry) (message.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return message.Receipt{}, s.err
	}
	if seq, known := s.seqs[e.MsgID]; known {
		return message.Receipt{Seq: seq, Duplicate: true}, nil
	}
	s.entries = append(s.entries, e)
	seq := uint64(len(s.entries))
	s.seqs[e.MsgID] = seq
	return message.Receipt{Seq: seq}, nil
}

func (s *stream) PublishAll(ctx context.Context, entries []message.Entry) (receipts []message.Receipt, err error) {
	for _, e := range entries {
		r, err := s.Publish(ctx, e)
		if err != nil {
			return nil, err
		}
		receipts = append(receipts, r)
	}
	return receipts, nil
}

type setup struct {
	stream   *stream
	acceptor *ingest.Acceptor
	metrics  *metrics.Set
	source   source.Source
}

func newSetup() *setup {
	s := &setup{stream: &stream{seqs: map[string]uint64{}}, metrics: metrics.NewSet(), source: source.NewPlain(source.Secrets{Current: "secret"})}
	s.acceptor = ingest.New(ingest.Config{
		Publisher: s.stream, Sources: []source.Source{s.source}, Metrics: s.metrics, Now: time.Now,
	})
	return s
}

func (s *setup) accept(body, sig string) (ingest.Outcome, error) {
	h := http.Header{}
	h.Set(signature.HexHMACHeader, sig)
	return s.acceptor.Accept(context.Background(), ingest.Delivery{Source: s.source, Header: h.Get, Body: []byte(body), RequestID: "r1"})
}

func (s *setup) acceptSigned(body string) (ingest.Outcome, error) {
	return s.accept(body, signature.NewHexHMAC("secret").Sign([]byte(body)))
}

func body(id string) string {
	return fmt.Sprintf(`{"message_id":%q,"from":"+1","to":"+2","ts":"2025-01-15T10:00:00Z"}`, id)
}

func TestAccept_publishesWhatARebuildNeeds(t *testing.T) {
	s := newSetup()
	o, err := s.acceptSigned(body("a b"))
	if err != nil || o.Result != ingest.Created || o.MessageID != "a b" || o.Seq() != 1 || len(o.Receipts) != 1 {
		t.Fatalf("%+v, %v", o, err)
	}
	want := message.Entry{MsgID: "a%20b", Source: "plain", RequestID: "r1",
		Data: []byte(`{"v":1,"message_id":"a b","from":"+1","to":"+2","ts":"2025-01-15T10:00:00Z","text":null}`)}
	if got := s.stream.entries[0]; got.MsgID != want.MsgID || got.Source != want.Source || got.RequestID != want.RequestID || !bytes.Equal(got.Data, want.Data) {
		t.Errorf("published %+v", got)
	}
}

func TestAccept_answersARepeatWithTheFirstReceipt(t *testing.T) {
	s := newSetup()
	for _, id := range []string{"a", "b"} {
		if _, err := s.acceptSigned(body(id)); err != nil {
			t.Fatal(err)
		}
	}
	o, err := s.acceptSigned(strings.Replace(body("a"), "+1", "+9", 1))
	if err != nil || o.Result != ingest.Duplicate || o.Seq() != 1 || o.MessageID != "a" {
		t.Errorf("%+v, %v", o, err)
	}
	if s.acceptor.Acked() != 2 {
		t.Errorf("acked %d", s.acceptor.Acked())
	}
}

func TestAccept_countsTheSequenceOfADuplicateAsAcked(t *testing.T) {
	s := newSetup()
	s.stream.seqs["a"] = 7 // published by another process
	if _, err := s.acceptSigned(body("a")); err != nil || s.acceptor.Acked() != 7 {
		t.Errorf("acked %d, %v", s.acceptor.Acked(), err)
	}
}

func TestAccept_parsesNothingBeforeTheSignatureHolds(t *testing.T) {
	s := newSetup()
	for sig, want := range map[string]error{"": signature.ErrMissing, "no": signature.ErrMismatch} {
		for _, body := range []string{body("a"), "garbage"} {
			o, err := s.accept(body, sig)
			if !errors.Is(err, want) || o.Result != ingest.InvalidSignature || o.MessageID != "" {
				t.Errorf("%q: %+v, %v", sig, o, err)
			}
		}
	}
	if len(s.stream.entries) != 0 {
		t.Error("something was published")
	}
}

func TestAccept_publishesNothingThatIsInvalid(t *testing.T) {
	s := newSetup()
	for body, id := range map[string]string{
		"garbage": "", `{}`: "", `{"message_id":""}`: "", `{"message_id":"a"}`: "a", `{"message_id":"a","message_id":"a"}`: "",
	} {
		o, err := s.acceptSigned(body)
		var errs message.InvalidErrors
		if !errors.As(err, &errs) || o.Result != ingest.Invalid || o.MessageID != id {
			t.Errorf("%s: %+v, %v", body, o, err)
		}
	}
	if len(s.stream.entries) != 0 || s.acceptor.Acked() != 0 {
		t.Error("something was published")
	}
}

// fullError is a Publisher's error that has words for senders.
type fullError struct{}

func (fullError) Error() string  { return "/data/jetstream: no room" }
func (fullError) Reason() string { return "the stream is full" }

func TestAccept_saysThatTheStreamIsUnavailable(t *testing.T) {
	for want, err := range map[string]error{
		"the stream is full":                          fmt.Errorf("publish: %w", fullError{}),
		"the stream is away":                          fmt.Errorf("10.0.0.7: %w", message.ErrDisconnected),
		"the stream does not take messages right now": errors.New("open /data/jetstream: permission denied"),
	} {
		s := newSetup()
		s.stream.err = err
		o, got := s.acceptSigned(body("a"))
		var unavailable *ingest.UnavailableError
		if !errors.As(got, &unavailable) || unavailable.Reason != want {
			t.Errorf("%v becomes %v", err, got)
		}
		if !errors.Is(got, ingest.ErrUnavailable) || !errors.Is(got, err) {
			t.Errorf("%v does not wrap both", got)
		}
		if o.Result != ingest.Unavailable || o.MessageID != "a" || s.acceptor.Acked() != 0 {
			t.Errorf("%+v", o)
		}
	}
}

func TestMetrics_areThereFromTheStart(t *testing.T) {
	s := newSetup()
	results := []string{"created", "duplicate", "invalid_signature", "validation_error", "unavailable", "too_large"}
	for _, r := range results {
		s.wantCount(t, r, 0)
	}
	must := func(o ingest.Outcome, err error) {
		if err != nil {
			t.Fatal(o, err)
		}
	}
	must(s.acceptSigned(body("a")))
	must(s.acceptSigned(body("a")))
	_, _ = s.accept(body("a"), "no")
	_, _ = s.acceptSigned("{}")
	s.acceptor.Refused(s.source, ingest.TooLarge)
	s.stream.err = errors.New("gone")
	_, _ = s.acceptSigned(body("b"))
	for _, r := range results {
		s.wantCount(t, r, 1)
	}
}

func (s *setup) wantCount(t *testing.T, result string, want int) {
	t.Helper()
	var page strings.Builder
	s.metrics.WritePrometheus(&page)
	line := fmt.Sprintf("webhook_requests_total{source=\"plain\",result=%q} %d\n", result, want)
	if !strings.Contains(page.String(), line) {
		t.Errorf("no %sin\n%s", line, page.String())
	}
}

func TestAcked_isTheHighestWhateverTheOrder(t *testing.T) {
	s := newSetup()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 100 {
				if _, err := s.acceptSigned(body(fmt.Sprintf("%d-%d", i, j))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := s.acceptor.Acked(); got != 800 {
		t.Errorf("acked %d of 800", got)
	}
}

func TestMetrics_sayWhichSecretSendersUse(t *testing.T) {
	s := newSetup()
	s.source = source.NewPlain(source.Secrets{Current: "secret", Previous: "before"})
	count := func(secret string, want int) {
		t.Helper()
		var page strings.Builder
		s.metrics.WritePrometheus(&page)
		if line := fmt.Sprintf("webhook_signatures_total{source=\"plain\",secret=%q} %d\n", secret, want); !strings.Contains(page.String(), line) {
			t.Errorf("no %sin\n%s", line, page.String())
		}
	}
	count("current", 0)
	count("previous", 0)
	for _, secret := range []string{"before", "secret", "before", "another"} {
		_, _ = s.accept(body(secret), signature.NewHexHMAC(secret).Sign([]byte(body(secret))))
	}
	count("current", 1)
	count("previous", 2)
}
