package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/internal/httpapi"
)

func TestServer_refusesWhatIsNotHTTP(t *testing.T) {
	a := start(t)
	long := strings.Repeat("x", 20_000)
	for name, c := range map[string]struct {
		raw, detail string
		status      int
	}{
		"garbage":           {"garbage\r\n\r\n", "this is not HTTP as it should be", 400},
		"no header name":    {"GET /stats HTTP/1.1\r\nHost: x\r\nabc\r\nd: e\r\n\r\n", "this is not HTTP as it should be", 400},
		"blank in a name":   {"GET /stats HTTP/1.1\r\nHost: x\r\na b: c\r\n\r\n", "this is not HTTP as it should be", 400},
		"oversized, forged": {"POST /webhook HTTP/1.1\r\nHost: x\r\noversized body: 1\r\n\r\n", "this is not HTTP as it should be", 400},
		"host is no host":   {"GET /stats HTTP/1.1\r\nHost: [::1\r\n\r\n", "this is not HTTP as it should be", 400},
		"control character": {"GET /sta\x01ts HTTP/1.1\r\nHost: x\r\n\r\n", "this is not HTTP as it should be", 400},
		"long header":       {"GET /stats HTTP/1.1\r\nHost: x\r\nA: " + long + "\r\n\r\n", "request line and header must have at most 16384 bytes", 431},
		"long target":       {"GET /stats?" + long + " HTTP/1.1\r\nHost: x\r\n\r\n", "request line and header must have at most 16384 bytes", 431},
		"many headers":      {"GET /stats HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", 10_000) + "\r\n", "request line and header must have at most 16384 bytes", 431},
	} {
		_, r := a.send(c.raw)
		got := next(t, r)
		if got.status != c.status || got.body != fmt.Sprintf(`{"detail":%q}`, c.detail) || got.header.Get("X-Request-ID") == "" || got.header.Get("Server") != "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	a.counts(`http_requests_total{method="OTHER",path="other",status="431"} 3`)
	eventually(t, func() bool { return len(a.log.requests(t)) == 9 }, a.log.String)
	if got := a.get("/stats"); got.status != 200 {
		t.Errorf("%+v", got)
	}
}

func TestServer_saysNothingToWhomAsksNothing(t *testing.T) {
	a := start(t, func(cfg *httpapi.Config) {
		cfg.ReadTimeout, cfg.IdleTimeout = 200*time.Millisecond, 200*time.Millisecond
	})
	_, r := a.send("")
	ended(t, r)
	_, r = a.send("GET /stats HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := next(t, r); got.status != 200 {
		t.Errorf("%+v", got)
	}
	ended(t, r)
	if got := a.log.requests(t); len(got) != 1 {
		t.Errorf("logged %v", got)
	}
}

func TestServer_boundsConnections(t *testing.T) {
	a := start(t, func(cfg *httpapi.Config) { cfg.MaxConns = 2 })
	const request = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
	c1, r1 := a.send(request)
	_, r2 := a.send(request)
	for _, r := range []answer{next(t, r1), next(t, r2)} {
		if r.status != 200 {
			t.Errorf("%+v", r)
		}
	}
	_, r3 := a.send(request)
	got := next(t, r3)
	if got.status != 503 || got.header.Get("Retry-After") != "1" || got.body != `{"detail":"too many connections"}` || got.header.Get("X-Request-ID") == "" {
		t.Errorf("%+v", got)
	}
	a.counts("http_connections_refused_total 1")
	c1.Close()
	eventually(t, func() bool {
		_, r := a.send(request)
		return next(t, r).status == 200
	}, func() string { return "the place is not given to another" })
}

func TestShutdown_finishesWhatWasAccepted(t *testing.T) {
	a := start(t)
	hold := make(chan struct{})
	a.change(func() { a.hold = hold })
	_, idle := a.send("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := next(t, idle); got.status != 200 {
		t.Fatalf("%+v", got)
	}
	_, silent := a.send("")
	body := delivery("m1")
	_, busy := a.send(fmt.Sprintf("POST /webhook HTTP/1.1\r\nHost: x\r\nX-Signature: %s\r\nContent-Length: %d\r\n\r\n%s", sign(body), len(body), body))
	a.waitForHandlers(1)

	done := make(chan error)
	go func() { done <- a.server.Shutdown(context.Background()) }()
	ended(t, idle)
	ended(t, silent)
	if err := <-a.served; err != nil {
		t.Errorf("serve: %v", err)
	}
	if c, err := net.Dial("tcp", a.addr); err == nil {
		c.Close()
		t.Error("it still accepts")
	}
	select {
	case err := <-done:
		t.Fatalf("it left a request behind: %v", err)
	default:
	}
	close(hold)
	if got := next(t, busy); got.status != 200 || got.header.Get("Connection") != "close" {
		t.Errorf("%+v", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// waitForHandlers waits until so many publishes wait.
func (a *api) waitForHandlers(n int) {
	a.t.Helper()
	eventually(a.t, func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.waiting == n
	}, func() string { return "nobody publishes" })
}

func TestShutdown_abandonsWhatTakesTooLong(t *testing.T) {
	a := start(t)
	a.change(func() { a.hold = make(chan struct{}) }) // for ever
	body := delivery("m1")
	_, busy := a.send(fmt.Sprintf("POST /webhook HTTP/1.1\r\nHost: x\r\nX-Signature: %s\r\nContent-Length: %d\r\n\r\n%s", sign(body), len(body), body))
	_, slow := a.send("POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
	a.waitForHandlers(1)

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := a.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	for _, r := range []io.Reader{busy, slow} {
		if _, err := io.ReadAll(r); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("a connection was left open: %v", err)
		}
	}
	a.waitForHandlers(0)
}

func TestShutdown_beforeServe(t *testing.T) {
	a := start(t)
	if err := a.server.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.server.Serve(ln); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("it listens")
	}
	if err := a.server.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestServe_outlivesATroubledListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := startOn(t, &troubled{Listener: ln, failures: 3})
	if got := a.postSigned(delivery("m1")); got.status != 200 {
		t.Errorf("%+v", got)
	}
	if got := a.log.String(); strings.Count(got, syscall.EMFILE.Error()) != 3 {
		t.Errorf("got %s", got)
	}
}

// troubled is a listener in a process that is out of file descriptors at first.
type troubled struct {
	net.Listener
	failures int
}

func (l *troubled) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}
