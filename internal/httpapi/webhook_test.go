package httpapi_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/httpapi"
	"sluice/pkg/message"
	"sluice/pkg/signature"
)

// maxBody is the limit of the tests that are about it.
const maxBody = 200_000

func limited(cfg *httpapi.Config) { cfg.MaxBodyBytes = maxBody }

// sized is a valid body of n bytes.
func sized(n int) string {
	body := delivery("m1")
	return body + strings.Repeat(" ", n-len(body))
}

func TestWebhook_acceptsEitherHeaderAndEitherSecret(t *testing.T) {
	a := start(t)
	body := delivery("m1")
	for name, header := range map[string][]string{
		"current":                  {signature.HexHMACHeader, sign(body)},
		"previous":                 {signature.HexHMACHeader, signature.NewHexHMAC("oldsecret").Sign([]byte(body))},
		"as a hub writes it":       {signature.HubSHA256Header, "sha256=" + sign(body)},
		"header name in lower":     {"x-signature", sign(body)},
		"whatever the media type":  {signature.HexHMACHeader, sign(body), "Content-Type", "multipart/form-data; boundary=x"},
		"no matter what it accept": {signature.HexHMACHeader, sign(body), "Accept", "application/problem+json"},
	} {
		if got := a.post(body, header...); got.status != 200 || got.body != `{"status":"ok"}` {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestWebhook_readsBodiesUpToTheLimit(t *testing.T) {
	a := start(t, limited)
	for _, size := range []int{200, 4095, 4096, 4097, 8191, 8192, 8193, 65536, 65537, maxBody} {
		body := sized(size)
		if got := a.postSigned(body); got.status != 200 {
			t.Errorf("%d bytes: %+v", size, got)
		}
		if got := a.postChunked(body, sign(body)); got.status != 200 {
			t.Errorf("%d bytes in chunks: %+v", size, got)
		}
	}
	if got := a.postChunked("", sign("")); got.status != 422 {
		t.Errorf("nothing in chunks: %+v", got)
	}
}

// postChunked hides the length of the body.
func (a *api) postChunked(body, sig string) answer {
	a.t.Helper()
	r, err := http.NewRequest("POST", "http://"+a.addr+"/webhook", io.MultiReader(strings.NewReader(body)))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set(signature.HexHMACHeader, sig)
	resp, err := a.client.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, _ := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(data)}
}

func TestWebhook_refusesLargerBodies(t *testing.T) {
	a := start(t, limited)
	const tooLarge = `{"detail":"the body is too large"}`
	for _, size := range []int{maxBody + 1, 10 * maxBody} {
		body := sized(size)
		for name, got := range map[string]answer{
			"signed":                a.postSigned(body),
			"signed, in chunks":     a.postChunked(body, sign(body)),
			"not signed":            a.post(body),
			"not signed, in chunks": a.postChunked(body, "no"),
		} {
			if got.status != 413 || got.body != tooLarge {
				t.Errorf("%d bytes, %s: %+v", size, name, got)
			}
		}
	}
	a.counts(`webhook_requests_total{source="plain",result="too_large"} 8`, `http_requests_total{method="POST",path="/webhook",status="413"} 8`)
	if len(a.entries) != 0 {
		t.Error("something was published")
	}
}

func TestWebhook_refusesALargeBodyBeforeItIsSent(t *testing.T) {
	a := start(t, limited)
	for name, header := range map[string]string{
		"announced":          "Content-Length: 1000000000000\r\n",
		"asked for":          "Content-Length: 200001\r\nExpect: 100-continue\r\n",
		"with a right start": "Content-Length: 200001\r\nX-Signature: " + sign("x") + "\r\n",
	} {
		_, r := a.send("POST /webhook HTTP/1.1\r\nHost: x\r\n" + header + "\r\n")
		if got := next(t, r); got.status != 413 || got.header.Get("Connection") != "close" {
			t.Errorf("%s: %+v", name, got)
		}
		ended(t, r)
	}
}

func TestWebhook_asksForABodyThatMayCome(t *testing.T) {
	a := start(t, limited)
	body := sized(100_000)
	c, r := a.send(fmt.Sprintf("POST /webhook HTTP/1.1\r\nHost: x\r\nX-Signature: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", sign(body), len(body)))
	if got := next(t, r); got.status != 100 {
		t.Fatalf("%+v", got)
	}
	if _, err := io.WriteString(c, body); err != nil {
		t.Fatal(err)
	}
	if got := next(t, r); got.status != 200 {
		t.Errorf("%+v", got)
	}
}

func TestWebhook_answersOneAfterTheOtherOnOneConnection(t *testing.T) {
	a := start(t)
	var requests strings.Builder
	for i := range 3 {
		body := delivery(fmt.Sprint("m", i))
		fmt.Fprintf(&requests, "POST /webhook HTTP/1.1\r\nHost: x\r\nX-Signature: %s\r\nContent-Length: %d\r\n\r\n%s", sign(body), len(body), body)
		fmt.Fprintf(&requests, "POST /webhook HTTP/1.1\r\nHost: x\r\nX-Signature: no\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
	}
	_, r := a.send(requests.String())
	for range 3 {
		if got := next(t, r); got.status != 200 {
			t.Errorf("%+v", got)
		}
		if got := next(t, r); got.status != 401 {
			t.Errorf("%+v", got)
		}
	}
}

func TestWebhook_refusesABodyThatIsNotWhole(t *testing.T) {
	const start1 = "POST /webhook HTTP/1.1\r\nHost: x\r\nX-Signature: " // and the rest
	body := delivery("m1")
	for name, c := range map[string]struct {
		raw  string
		want int
	}{
		"a small one ends early":  {fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body)+1, body), 400},
		"a large one ends early":  {fmt.Sprintf("Content-Length: %d\r\n\r\n%s", 50_000, sized(49_999)), 400},
		"a chunk ends early":      {fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s", len(body)+1, body), 400},
		"the last chunk is gone":  {fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(body), body), 400},
		"the last chunk is half":  {fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0", len(body), body), 400},
		"no chunk comes":          {"Transfer-Encoding: chunked\r\n\r\n", 400},
		"a chunk has no size":     {"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", 400},
		"a chunk is longer":       {"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n", 400},
		"the length is no number": {"Content-Length: x\r\n\r\n{}", 400},
		"the length is negative":  {"Content-Length: -1\r\n\r\n{}", 400},
	} {
		t.Run(name, func(t *testing.T) {
			a := start(t)
			conn, r := a.send(start1 + sign(body) + "\r\n" + c.raw)
			if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			got := next(t, r)
			if got.status != c.want || !strings.HasPrefix(got.body, `{"detail":"`) || got.header.Get("X-Request-ID") == "" {
				t.Errorf("%+v", got)
			}
			ended(t, r)
			if len(a.entries) != 0 {
				t.Error("something was published")
			}
		})
	}
}

func TestWebhook_takesChunksFromAClientThatHasEnded(t *testing.T) {
	a := start(t)
	body := delivery("m1")
	conn, r := a.send(fmt.Sprintf("POST /webhook HTTP/1.1\r\nHost: x\r\nX-Signature: %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n",
		sign(body), len(body), body))
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := next(t, r); got.status != 200 {
		t.Errorf("%+v", got)
	}
}

func TestWebhook_boundsSlowSenders(t *testing.T) {
	quick := func(cfg *httpapi.Config) { cfg.ReadTimeout = 200 * time.Millisecond }
	body := delivery("m1")
	for name, raw := range map[string]string{
		"in the header":       "POST /webhook HTTP/1.1\r\nHost: x\r\n",
		"in a small body":     "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
		"in a larger body":    "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n" + sized(8999),
		"in a large body":     "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n" + sized(100_000),
		"in the first chunk":  "POST /webhook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
		"before the 2nd one":  "POST /webhook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
		"after an asked body": "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			a := start(t, quick)
			_, r := a.send(raw)
			got := next(t, r)
			if got.status == 100 {
				got = next(t, r)
			}
			if got.status != 408 || got.body != `{"detail":"the request came too slowly"}` {
				t.Errorf("%+v", got)
			}
			ended(t, r)
			if got := a.post(body, signature.HexHMACHeader, sign(body)); got.status != 200 {
				t.Errorf("others are not served: %+v", got)
			}
		})
	}
}

func TestWebhook_boundsTheMemoryOfLargeBodies(t *testing.T) {
	a := start(t, limited, func(cfg *httpapi.Config) { cfg.MaxBufferedBytes = 150_000 })
	hold := make(chan struct{})
	a.change(func() { a.hold = hold })
	large, small := sized(100_000), delivery("small")
	done := make(chan answer)
	go func() { done <- a.postSigned(large) }()

	a.waitForHandlers(1) // the first one is in memory
	got := a.post(sized(100_001), signature.HexHMACHeader, "no")
	if got.status != 503 || got.header.Get("Retry-After") != "1" || got.body != `{"detail":"too many large requests at once"}` {
		t.Errorf("%+v", got)
	}
	if got := a.post(small, signature.HexHMACHeader, "no"); got.status != 401 {
		t.Errorf("a small one: %+v", got)
	}
	close(hold)
	if got := <-done; got.status != 200 {
		t.Errorf("the first one: %+v", got)
	}
	eventually(t, func() bool { return a.postSigned(sized(100_002)).status == 200 }, func() string { return "the memory is not given back" })
}

func TestWebhook_publishesWhatWasSentWhateverComesNext(t *testing.T) {
	a := start(t)
	const senders, each = 8, 100
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for j := range each {
				id := fmt.Sprintf("%d-%d-%s", i, j, strings.Repeat(string(rune('a'+i)), 50*i))
				if got := a.postSigned(delivery(id), "X-Request-ID", fmt.Sprintf("r%d-%d", i, j)); got.status != 200 {
					t.Errorf("%+v", got)
				}
			}
		})
	}
	wg.Wait()
	for _, e := range a.entries {
		m, err := message.Unmarshal(e.Data)
		prefix, _, _ := strings.Cut(strings.TrimPrefix(e.RequestID, "r"), " ")
		if err != nil || e.MsgID != m.ID || !strings.HasPrefix(m.ID, prefix+"-") {
			t.Fatalf("entry %+v, %+v, %v", e, m, err)
		}
	}
	if len(a.entries) != senders*each {
		t.Errorf("%d entries", len(a.entries))
	}
}

func TestWebhook_tellsTheWaitInWholeSeconds(t *testing.T) {
	for wait, want := range map[time.Duration]string{0: "1", time.Millisecond: "1", 5 * time.Second: "5"} {
		a := start(t, func(cfg *httpapi.Config) { cfg.RetryAfter = wait })
		a.publishErr = message.ErrDisconnected
		if got := a.postSigned(delivery("m1")); got.status != 503 || got.header.Get("Retry-After") != want {
			t.Errorf("%v: %+v", wait, got)
		}
	}
}

func TestWebhook_unreadBodiesAreNotTakenForRequests(t *testing.T) {
	a := start(t)
	hidden := "GET /stats HTTP/1.1\r\nHost: x\r\n\r\n"
	padding := bytes.Repeat([]byte("x"), 10_000)
	for name, raw := range map[string]string{
		"a length":     fmt.Sprintf("GET /health/live HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s%s", len(padding)+len(hidden), padding, hidden),
		"chunks":       fmt.Sprintf("GET /health/live HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n%s", len(padding), padding, hidden),
		"no such path": fmt.Sprintf("POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s%s", len(padding)+len(hidden), padding, hidden),
	} {
		_, r := a.send(raw)
		if got := next(t, r); got.status != 200 && got.status != 404 {
			t.Errorf("%s: %+v", name, got)
		}
		ended(t, r)
	}
}
