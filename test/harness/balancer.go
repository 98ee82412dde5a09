package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Balancer is what people put before apis: it asks each whether it is ready to
// take webhooks, and passes requests on to those that are, in turn. One that
// refuses the connection is passed over. Where nobody is left, the answer is 503
// with Retry-After.
type Balancer struct {
	Addr string // host:port

	backends []*backend
	turn     atomic.Uint64
	passOn   http.RoundTripper

	mu    sync.Mutex
	wrong []string
}

type backend struct {
	addr  string
	ready atomic.Bool
}

// NewBalancer starts one before apis at these addresses, which need not be there
// yet, until the test ends.
func NewBalancer(t testing.TB, addrs ...string) *Balancer {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	b := &Balancer{passOn: transport}
	ctx, stop := context.WithCancel(context.Background())
	var checks sync.WaitGroup
	for _, addr := range addrs {
		one := &backend{addr: addr}
		b.backends = append(b.backends, one)
		checks.Go(func() { one.check(ctx) })
	}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:        func(*httputil.ProxyRequest) {}, // RoundTrip knows where to
		Transport:      b,
		ModifyResponse: b.look,
		ErrorHandler:   b.refuse,
	})
	b.Addr = strings.TrimPrefix(server.URL, "http://")
	t.Cleanup(func() {
		stop()
		server.CloseClientConnections()
		server.Close()
		checks.Wait()
		transport.CloseIdleConnections()
	})
	return b
}

// check asks again and again until ctx ends.
func (b *backend) check(ctx context.Context) {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for ctx.Err() == nil {
		res, err := client.Get("http://" + b.addr + "/health/ready/ingest")
		if err == nil {
			res.Body.Close()
		}
		b.ready.Store(err == nil && res.StatusCode == http.StatusOK)
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

var errNobody = errors.New("no api is ready")

// RoundTrip passes a request on to the next that is ready.
func (b *Balancer) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	first := b.turn.Add(1)
	for i := range uint64(len(b.backends)) {
		one := b.backends[(first+i)%uint64(len(b.backends))]
		if !one.ready.Load() {
			continue
		}
		out := req.Clone(req.Context())
		out.URL.Scheme, out.URL.Host = "http", one.addr
		out.Body = io.NopCloser(bytes.NewReader(body))
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		res, err := b.passOn.RoundTrip(out)
		var refused *net.OpError
		if errors.As(err, &refused) && refused.Op == "dial" { // so nothing was sent
			continue
		}
		return res, err
	}
	return nil, errNobody
}

// look notes answers that no api may give.
func (b *Balancer) look(res *http.Response) error {
	if res.StatusCode >= 500 && (res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "") {
		b.note(fmt.Sprintf("%s answered %s, Retry-After %q", res.Request.URL.Host, res.Status, res.Header.Get("Retry-After")))
	}
	return nil
}

// refuse answers in place of an api, and notes when that is because one of them
// took a request and did not answer it.
func (b *Balancer) refuse(w http.ResponseWriter, req *http.Request, err error) {
	if !errors.Is(err, errNobody) && req.Context().Err() == nil {
		b.note(err.Error())
	}
	w.Header().Set("Retry-After", "1")
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusServiceUnavailable)
}

func (b *Balancer) note(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong = append(b.wrong, what)
}

// Wrong returns what the apis did that a balancer cannot make good: answers of
// 500 and above other than 503 with Retry-After, and requests without an answer.
func (b *Balancer) Wrong() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.wrong...)
}
