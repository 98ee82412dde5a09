package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/pkg/client"
	"sluice/pkg/contract"
	"sluice/pkg/message"
)

// patience bounds what a test waits for.
const patience = 30 * time.Second

func start(t *testing.T, change ...func(*client.Config)) (*world, *client.Client) {
	t.Helper()
	w := newWorld()
	t.Cleanup(w.close)
	cfg := client.Config{URL: w.url, Secret: secret, Token: token}
	for _, f := range change {
		f(&cfg)
	}
	return w, must(client.New(cfg))
}

func TestSend_keepsEveryByte(t *testing.T) {
	_, c := start(t)
	text := "<b>é😀</b> \" \u2028 \\ \x00"
	for _, id := range []string{"m1", "a/b", "..", ".", "é %2F?#", " ", "\n", strings.Repeat("x", 1024)} {
		m := message.Message{ID: id, From: "+1", To: "+2", TS: "2025-01-15T10:00:00.000000001Z", Text: &text}
		receipt, err := c.Send(t.Context(), m)
		if err != nil || receipt.Sequence == 0 || receipt.RequestID == "" || receipt.Attempts != 1 {
			t.Fatalf("%q: %+v %v", id, receipt, err)
		}
		got, err := c.Message(t.Context(), id)
		if err != nil || got.ID != id || got.TS != m.TS || *got.Text != text || got.Seq != receipt.Sequence {
			t.Errorf("%q: %+v %v", id, got, err)
		}
	}
	again, err := c.Send(t.Context(), message.Message{ID: "m1", From: "+1", To: "+2", TS: "2025-01-15T10:00:00Z"})
	if err != nil || again.Sequence != 1 {
		t.Errorf("a repeat: %+v %v", again, err)
	}
}

func TestSend_triesAgainWhenTheStreamIsAway(t *testing.T) {
	var w *world
	var told []error
	w, c := start(t, func(cfg *client.Config) {
		cfg.OnRetry = func(err error, pause time.Duration) {
			told = append(told, err)
			if pause < time.Second {
				t.Errorf("it comes back after %v, and Retry-After was a second", pause)
			}
			w.fail(nil)
		}
	})
	w.fail(message.ErrDisconnected)
	receipt, err := c.Send(t.Context(), hello("m1", 1))
	if err != nil || receipt.Attempts != 2 || len(told) != 1 {
		t.Fatalf("%+v %v %v", receipt, err, told)
	}
	if refused, ok := errors.AsType[*client.Error](told[0]); !ok || refused.Code != contract.CodeUnavailable || refused.Status != 503 {
		t.Errorf("%v", told[0])
	}
}

func TestSend_doesNotTryAgainWhatIsRefused(t *testing.T) {
	for name, cfg := range map[string]client.Config{"wrong secret": {Secret: "wrong"}, "wrong path": {Secret: secret}} {
		w := newWorld()
		defer w.close()
		cfg.URL = w.url
		want := 401
		if name == "wrong path" {
			cfg.URL, want = w.url+"/elsewhere/", 401 // reading needs the token, whatever is there
		}
		cfg.OnRetry = func(error, time.Duration) { t.Errorf("%s: it tries again", name) }
		_, err := must(client.New(cfg)).Send(t.Context(), hello("m1", 1))
		if refused, ok := errors.AsType[*client.Error](err); !ok || refused.Status != want || refused.RequestID == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := must(client.New(client.Config{URL: "http://127.0.0.1:1"})).Send(t.Context(), hello("m1", 1)); err == nil {
		t.Error("it signs without a secret")
	}
}

func TestReading_needsTheToken(t *testing.T) {
	_, c := start(t, func(cfg *client.Config) { cfg.Token = "" })
	for name, err := range map[string]error{
		"stats": second(c.Stats(t.Context())), "message": second(c.Message(t.Context(), "m1")), "pipeline": second(c.Pipeline(t.Context())),
	} {
		if refused, ok := errors.AsType[*client.Error](err); !ok || refused.Code != contract.CodeUnauthorized {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, err := range c.Tail(t.Context(), client.TailQuery{}) {
		if refused, ok := errors.AsType[*client.Error](err); !ok || refused.Status != 401 {
			t.Errorf("tail: %v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestMessages_givesEachOnceWhateverThePageSize(t *testing.T) {
	_, c := start(t)
	var want []string
	for i := range 25 {
		id := fmt.Sprintf("m%02d", i)
		want = append(want, id)
		if _, err := c.Send(t.Context(), hello(id, i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, size := range []int{1, 4, 5, 25, 0} {
		var got []string
		for m, err := range c.Messages(t.Context(), client.Query{PageSize: size}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, m.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %q", size, got)
		}
	}
	page, err := c.Page(t.Context(), client.Query{Filter: message.Filter{Text: "hello 1", From: "+919876543210"}, PageSize: 3}, "")
	if err != nil || page.Total != 11 || len(page.Data) != 3 || page.NextCursor == nil {
		t.Errorf("%+v %v", page, err)
	}
	for _, err := range c.Messages(t.Context(), client.Query{PageSize: 101}) {
		if refused, ok := errors.AsType[*client.Error](err); !ok || refused.Code != contract.CodeInvalid || len(refused.Fields) != 1 {
			t.Errorf("a page too large: %v", err)
		}
	}
	stats, err := c.Stats(t.Context())
	if err != nil || stats.TotalMessages != 25 || stats.SendersCount != 1 {
		t.Errorf("%+v %v", stats, err)
	}
	pipeline, err := c.Pipeline(t.Context())
	if err != nil || !pipeline.Stream.Available || *pipeline.Stream.LastSequence != 25 {
		t.Errorf("%+v %v", pipeline, err)
	}
}

func TestMessage_notFound(t *testing.T) {
	_, c := start(t)
	if _, err := c.Message(t.Context(), "m1"); !errors.Is(err, client.ErrNotFound) {
		t.Error(err)
	}
}

// cut ends each connection of a tail after so many bytes.
func cut(after int64) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		res, err := http.DefaultTransport.RoundTrip(r)
		if err == nil && r.URL.Path == contract.PathTail {
			body := res.Body
			res.Body = struct {
				io.Reader
				io.Closer
			}{io.LimitReader(body, after), body}
		}
		return res, err
	})
}

func TestTail_goesOnWhereItWasCutOff(t *testing.T) {
	_, c := start(t, func(cfg *client.Config) { cfg.HTTP = &http.Client{Transport: cut(700)} })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i := range 10 {
		if _, err := c.Send(ctx, hello(fmt.Sprint("m", i), i)); err != nil {
			t.Fatal(err)
		}
	}
	first := uint64(0)
	var got []uint64
	for e, err := range c.Tail(ctx, client.TailQuery{After: &first}) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, e.Message.Seq); len(got) == 10 {
			break
		}
	}
	if !slices.Equal(got, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}) {
		t.Errorf("%v", got)
	}
}

func TestTail_countsWhatItSkips(t *testing.T) {
	_, c := start(t)
	for i := range 10 {
		if _, err := c.Send(t.Context(), hello(fmt.Sprint("m", i), i)); err != nil {
			t.Fatal(err)
		}
	}
	first, skipped := uint64(0), int64(0)
	for e, err := range c.Tail(t.Context(), client.TailQuery{After: &first, Newest: 3}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Message == nil {
			skipped = e.Skipped
		} else if e.Message.Seq == 10 {
			break
		}
	}
	if skipped != 7 {
		t.Errorf("%d skipped", skipped)
	}
}

func TestTail_endsWithItsContext(t *testing.T) {
	_, c := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := c.Send(ctx, hello("m1", 1)); err != nil {
		t.Fatal(err)
	}
	first, last := uint64(0), error(nil)
	for _, err := range c.Tail(ctx, client.TailQuery{After: &first}) {
		last = err
		cancel()
	}
	if !errors.Is(last, context.Canceled) {
		t.Error(last)
	}
}

// scripted is a server of which only the answers matter, without a network, so that
// its clock can be a simulated one. The status 0 is a connection that fails.
type scripted func(attempt int) (status int, retryAfter string)

func (f scripted) client() *http.Client {
	n := 0
	return &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		n++
		status, wait := f(n)
		if status == 0 {
			return nil, errors.New("connection refused")
		}
		h := http.Header{}
		if wait != "" {
			h.Set("Retry-After", wait)
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(`{"status":"ok"}`))}, nil
	})}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRetry_waitsAsLongAsItIsAskedTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := time.Now().Add(7 * time.Second).UTC()
		server := scripted(func(attempt int) (int, string) {
			return []int{0, 429, 503, 500, 200}[attempt-1], []string{"", "3", at.Format(http.TimeFormat), "", ""}[attempt-1]
		})
		c := must(client.New(client.Config{URL: "http://x", Secret: secret, HTTP: server.client()}))
		began := time.Now()
		receipt, err := c.Send(t.Context(), hello("m1", 1))
		took := time.Since(began)
		if err != nil || receipt.Attempts != 5 || took < 6*time.Second || took > 10*time.Second {
			t.Errorf("%+v %v after %v", receipt, err, took)
		}
	})
}

func TestRetry_ends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := func(cfg client.Config, ctx context.Context) (n int, err error) {
			cfg.URL, cfg.Secret = "http://x", secret
			cfg.HTTP = scripted(func(attempt int) (int, string) { n = attempt; return 503, "1" }).client()
			_, err = must(client.New(cfg)).Send(ctx, hello("m1", 1))
			return n, err
		}
		if n, err := attempts(client.Config{Attempts: 3}, t.Context()); n != 3 || err == nil {
			t.Errorf("%d attempts, %v", n, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if n, err := attempts(client.Config{Attempts: -1}, ctx); n < 200 || !strings.Contains(err.Error(), "503") {
			t.Errorf("without a bound: %d attempts, %v", n, err)
		}
	})
}

func TestNew_saysWhatIsWrong(t *testing.T) {
	for _, url := range []string{"", "127.0.0.1:8000", "ftp://x", "http://", "http://x?y", "http://x#y", "://"} {
		if _, err := client.New(client.Config{URL: url}); err == nil || !strings.Contains(err.Error(), "URL") {
			t.Errorf("%q: %v", url, err)
		}
	}
}
