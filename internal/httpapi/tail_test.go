package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// events reads a tail until the test ends.
type events struct {
	t      *testing.T
	resp   *http.Response
	lines  *bufio.Reader
	cancel context.CancelFunc
}

func (a *api) tail(target string, header ...string) *events {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r, err := http.NewRequestWithContext(ctx, "GET", "http://"+a.addr+target, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := (&http.Client{Transport: &http.Transport{}}).Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() {
		cancel()
		_ = resp.Body.Close()
	})
	return &events{a.t, resp, bufio.NewReader(resp.Body), cancel}
}

// next returns the next block that is an event.
func (e *events) next() string {
	e.t.Helper()
	for block := ""; ; {
		line, err := e.lines.ReadString('\n')
		if err != nil {
			e.t.Fatalf("after %q: %v", block, err)
		}
		if line != "\n" {
			block += line
		} else if strings.Contains(block, "event:") {
			return block
		} else {
			block = ""
		}
	}
}

func TestTail_tellsEachMessageWithItsPlace(t *testing.T) {
	a := start(t)
	a.postSigned(delivery("before"))
	tail := a.tail("/tail")
	if got := tail.resp.Header.Get("Content-Type"); tail.resp.StatusCode != 200 || got != "text/event-stream" {
		t.Errorf("%d %q", tail.resp.StatusCode, got)
	}
	a.postSigned(delivery("one\ntwo"))
	a.postSigned(delivery("m3"))
	const want = `id: 2
event: message
data: {"message_id":"one\ntwo","from":"+919876543210","to":"+14155550100","ts":"2025-01-15T10:00:00Z","text":"Hello","seq":2,"source":"plain","created_at":"2025-01-15T10:00:01.023000000Z"}
`
	if got := tail.next(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := tail.next(); !strings.HasPrefix(got, "id: 3\n") {
		t.Errorf("got\n%s", got)
	}
	if got := a.tail("/tail?after=3", "Last-Event-ID", "1").next(); got != want {
		t.Errorf("resumed, got\n%s", got)
	}
}

func TestTail_saysWhatItPassesOver(t *testing.T) {
	a := start(t)
	for _, id := range []string{"m1", "m2", "m3"} {
		a.postSigned(delivery(id))
	}
	tail := a.tail("/tail?after=0&newest=1")
	if got := tail.next(); got != "event: skipped\ndata: {\"messages\":2}\n" {
		t.Errorf("got\n%s", got)
	}
}

func TestTail_areOnlySoMany(t *testing.T) {
	a := start(t)
	var first *events
	for range 64 {
		if e := a.tail("/tail"); e.resp.StatusCode != 200 {
			t.Fatal(e.resp.StatusCode)
		} else if first == nil {
			first = e
		}
	}
	if got := a.get("/tail"); got.status != 503 {
		t.Errorf("one more: %d", got.status)
	}
	if got := a.do("HEAD", "/tail", ""); got.status != 200 {
		t.Errorf("HEAD: %d", got.status)
	}
	first.cancel()
	n := 0
	eventually(t, func() bool {
		n++
		a.postSigned(delivery(fmt.Sprint("m", n))) // a tail notices at its next event that nobody reads it
		e := a.tail("/tail")
		defer e.cancel()
		return e.resp.StatusCode == 200
	}, func() string { return "a tail that ended still counts" })
}

func TestTail_endsWhenTheServerStops(t *testing.T) {
	a := start(t)
	tail := a.tail("/tail")
	if err := a.server.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := tail.lines.ReadString('\n'); err != nil {
			return
		}
	}
}
