package load

import (
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/pkg/message"
	"sluice/pkg/signature"
)

const secret = "load secret"

// receiver is an api in ten lines: it checks signatures and remembers ids.
type receiver struct {
	mu     sync.Mutex
	bodies map[string][]byte
	answer func(taken int) int // the status of a request, by how many there were before
	taken  int
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	if _, err := signature.NewHexHMAC(secret).Verify(signature.Request{Header: req.Header.Get, Body: body}, time.Now()); err != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var m struct {
		ID string `json:"message_id"`
	}
	if json.Unmarshal(body, &m) != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	status := http.StatusOK
	if r.answer != nil {
		status = r.answer(r.taken)
	}
	r.taken++
	if status == http.StatusOK {
		r.bodies[m.ID] = body
		w.Header().Set("X-Stream-Sequence", "7")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"status":"ok"}`)
}

func serve(t *testing.T, answer func(int) int) (*receiver, string) {
	r := &receiver{bodies: map[string][]byte{}, answer: answer}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return r, strings.TrimPrefix(s.URL, "http://")
}

func TestRun_postsEachMessageOnce(t *testing.T) {
	for _, c := range []Config{
		{Connections: 8},
		{Connections: 8, Prepare: true},
		{Connections: 8, Rate: 20_000},
	} {
		api, addr := serve(t, nil)
		c.Addr, c.Secret, c.First, c.Count, c.Ledger = addr, secret, 100, 500, &Ledger{}
		res := Run(t.Context(), c)
		if res.OK() != 500 || res.Errors != 0 || res.LastSeq != 7 || res.Latency.Count() != 500 {
			t.Fatalf("%v", res)
		}
		if api.taken != 500 || c.Ledger.Len() != 500 || c.Ledger.Next() != 600 {
			t.Errorf("%d requests came, %d in the ledger, the next is %d", api.taken, c.Ledger.Len(), c.Ledger.Next())
		}
		c.Ledger.All(func(n uint64) {
			m := c.Payload.WithDefaults().Message(n)
			if got := api.bodies[m.ID]; string(got) != string(Body(m)) {
				t.Errorf("message %d came as %q", n, got)
			}
		})
	}
}

// TestRun_theOpenLoopWaitsForNoAnswer: nobody is answered before the last message
// is there, so it comes only from a load that does not wait for answers.
func TestRun_theOpenLoopWaitsForNoAnswer(t *testing.T) {
	const count = 300
	var came atomic.Int64
	all := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if came.Add(1) == count {
			close(all)
		}
		select {
		case <-all:
		case <-req.Context().Done():
			return
		}
		w.Header().Set("Content-Length", "0")
	}))
	defer s.Close()
	res := Run(t.Context(), Config{Addr: strings.TrimPrefix(s.URL, "http://"), Secret: secret, Count: count, Connections: count, Rate: 20_000})
	if res.OK() != count || res.Opened != count || res.Waited != 0 {
		t.Errorf("%v; %d connections, %d messages waited for one", res, res.Opened, res.Waited)
	}
}

func TestRun_theOpenLoopHasNoMoreConnectionsThanItNeeds(t *testing.T) {
	_, addr := serve(t, nil)
	res := Run(t.Context(), Config{Addr: addr, Secret: secret, Count: 20, Connections: 2, Rate: 20_000})
	if res.OK() != 20 || res.Opened > 2 {
		t.Errorf("%v; %d connections", res, res.Opened)
	}
}

func TestRun_countsRefusalsThatDoNotSayWhenToComeBack(t *testing.T) {
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "0")
		if asked.Add(1)%2 == 0 {
			w.Header().Set("Retry-After", "1")
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer s.Close()
	res := Run(t.Context(), Config{Addr: strings.TrimPrefix(s.URL, "http://"), Secret: secret, Count: 20})
	if res.Statuses[503] != 20 || res.Hasty != 10 {
		t.Errorf("%v; %d did not say when to come back", res, res.Hasty)
	}
}

func TestRun_countsRefusals(t *testing.T) {
	_, addr := serve(t, func(taken int) int {
		if taken%2 == 0 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	ledger := &Ledger{}
	res := Run(t.Context(), Config{Addr: addr, Secret: secret, Count: 100, Ledger: ledger})
	if res.OK() != 50 || res.Statuses[503] != 50 || ledger.Len() != 50 || res.Refusals.Count() != 50 {
		t.Errorf("%v, %d in the ledger", res, ledger.Len())
	}
	res = Run(t.Context(), Config{Addr: addr, Secret: "wrong", Count: 10})
	if res.Statuses[401] != 10 {
		t.Errorf("with a wrong secret: %v", res)
	}
}

func TestRun_retriesUntilAcknowledged(t *testing.T) {
	api, addr := serve(t, func(taken int) int {
		if taken%3 != 0 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	res := Run(t.Context(), Config{Addr: addr, Secret: secret, Count: 50, Connections: 3, Retry: true})
	if res.OK() != 50 || len(api.bodies) != 50 {
		t.Errorf("%v, %d messages taken", res, len(api.bodies))
	}
}

func TestRun_dialsAgainAfterAnError(t *testing.T) {
	var broken sync.Once
	api := &receiver{bodies: map[string][]byte{}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		broken.Do(func() { panic(http.ErrAbortHandler) })
		api.ServeHTTP(w, req)
	}))
	defer s.Close()
	res := Run(t.Context(), Config{Addr: strings.TrimPrefix(s.URL, "http://"), Secret: secret, Count: 20, Retry: true})
	if res.OK() != 20 || res.Errors != 1 {
		t.Errorf("%v", res)
	}
}

func TestRun_endsWithItsContext(t *testing.T) {
	_, addr := serve(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	ledger := &Ledger{}
	done := make(chan *Result)
	go func() { done <- Run(ctx, Config{Addr: addr, Secret: secret, Connections: 4, Ledger: ledger}) }()
	for ledger.Len() < 100 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if res := <-done; res.OK() != uint64(ledger.Len()) {
		t.Errorf("%d replies with 200, %d in the ledger", res.OK(), ledger.Len())
	}
}

func TestPayload_isDeterministicUniqueAndValid(t *testing.T) {
	for _, p := range []Payload{{Seed: 1}, {Seed: 2}, {Seed: 1, IDs: AscendingIDs}, {Seed: 1, Senders: 1, Text: 1, Spread: 1}, {Text: 80, Padding: 4000}} {
		p = p.WithDefaults()
		ids := map[string]bool{}
		for n := range uint64(5000) {
			m, again := p.Message(n), p.Message(n)
			if !m.SameContent(&again) || m.ID != p.ID(n) {
				t.Fatalf("message %d is not the same twice", n)
			}
			if errs := m.Validate(); errs != nil {
				t.Fatalf("message %d: %v", n, errs)
			}
			ids[m.ID] = true
		}
		if len(ids) != 5000 {
			t.Errorf("%+v: 5000 messages have %d ids", p, len(ids))
		}
	}
	ascending := Payload{IDs: AscendingIDs}
	if !slices.IsSorted([]string{ascending.ID(0), ascending.ID(9), ascending.ID(10), ascending.ID(99_999)}) {
		t.Error("ascending ids do not ascend")
	}
}

func TestPayload_hasEveryKindOfField(t *testing.T) {
	p := Payload{}.WithDefaults()
	without, precisions := 0, map[int]bool{}
	for n := range uint64(500) {
		m := p.Message(n)
		if m.Text == nil {
			without++
		}
		precisions[len(m.TS)] = true
	}
	if without == 0 || without == 500 || len(precisions) != 4 {
		t.Errorf("%d of 500 without text, %d precisions of ts", without, len(precisions))
	}
}

func TestBody_isTheMessage(t *testing.T) {
	text := "a \"b\" \\ <c> \u2028 🎉"
	m := message.Message{ID: "i\n", From: "+1", To: "+2", TS: "2025-01-15T10:00:00Z", Text: &text}
	var got map[string]string
	if err := json.Unmarshal(Body(m), &got); err != nil {
		t.Fatal(err)
	}
	if got["message_id"] != m.ID || got["from"] != m.From || got["to"] != m.To || got["ts"] != m.TS || got["text"] != text {
		t.Errorf("got %q", got)
	}
}

func TestHistogram(t *testing.T) {
	var h, part Histogram
	rng := rand.New(rand.NewPCG(1, 1))
	var all []time.Duration
	for i := range 10_000 {
		d := time.Duration(rng.ExpFloat64() * float64(10*time.Millisecond))
		all = append(all, d)
		if i%2 == 0 {
			h.Add(d)
		} else {
			part.Add(d)
		}
	}
	h.Merge(&part)
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 0.999, 1} {
		want := all[int(q*float64(len(all)))-1]
		got := h.Quantile(q)
		if got < want || float64(got) > float64(want)*(1+1.0/32)+1 {
			t.Errorf("quantile %v is %v, want %v and at most 1/32 more", q, got, want)
		}
	}
	if h.Max() != all[len(all)-1] || h.Count() != 10_000 {
		t.Errorf("max %v of %d", h.Max(), h.Count())
	}
}

func TestHistogram_bucketsFollowOneAnother(t *testing.T) {
	for _, d := range []time.Duration{0, 1, 31, 32, 33, 63, 64, 1000, time.Second, time.Hour, 1<<63 - 1} {
		b := bucket(d)
		if upper(b) < d || b > 0 && upper(b-1) >= d {
			t.Errorf("%d is in bucket %d: %d..%d", d, b, upper(max(b-1, 0))+1, upper(b))
		}
	}
}

func TestLedger_keepsItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	want := []uint64{0, 3, 63, 64, 1000}
	for _, n := range want {
		l, err := OpenLedger(path)
		if err != nil {
			t.Fatal(err)
		}
		l.Add(n)
		l.Add(n)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	l, err := OpenLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var got []uint64
	l.All(func(n uint64) { got = append(got, n) })
	if !slices.Equal(got, want) || l.Len() != len(want) || l.Next() != 1001 {
		t.Errorf("the ledger holds %d, %d of them, the next is %d", got, l.Len(), l.Next())
	}
}
