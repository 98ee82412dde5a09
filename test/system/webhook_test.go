package system

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"sluice/pkg/message"
	"sluice/test/harness"
	"sluice/test/load"
)

func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

func TestWebhook_accepted(t *testing.T) {
	t.Parallel()
	p := start(t)
	first := p.PostBody(load.Body(hello("one")))
	if first.Status != 200 || string(first.Body) != `{"status":"ok"}` || first.Sequence() == 0 {
		t.Errorf("%d %s, sequence %d", first.Status, first.Body, first.Sequence())
	}
	if got := first.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		t.Errorf("Content-Type is %q", got)
	}

	other := hello("one")
	other.From = "+1"
	again := p.PostBody(load.Body(other))
	if again.Status != 200 || string(again.Body) != `{"status":"ok"}` || again.Sequence() != first.Sequence() {
		t.Errorf("a repeat: %d %s, sequence %d, the first had %d", again.Status, again.Body, again.Sequence(), first.Sequence())
	}
	if page := p.Messages(); page.Total != 1 || page.Data[0].From != hello("one").From {
		t.Errorf("after a repeat with other content: %+v", page)
	}
}

func TestWebhook_repeatsBehindTheDedupWindowChangeNothing(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{API: map[string]string{"READ_WAIT": "20s", "DEDUP_WINDOW": "100ms"}})
	m := hello("one")
	first := p.Post(m)
	row, _ := p.Message("one")

	repeat := func(m message.Message) {
		harness.Eventually(t, "the end of the dedup window", func() bool {
			last := first
			first = p.Post(m)
			return first != last
		})
	}
	repeat(m)
	other := hello("one")
	other.Text = nil
	repeat(other)

	page := p.Messages()
	again, _ := p.Message("one")
	if page.Total != 1 || again.Text == nil || *again.Text != "Hello" || again.Seq != row.Seq || again.CreatedAt != row.CreatedAt {
		t.Errorf("the row was %+v and is %+v, of %d", row, again, page.Total)
	}
	harness.Eventually(t, "the writer's counters", func() bool {
		counts := p.WriterMetrics()
		return counts[`sluice_writer_messages_total{result="inserted"}`] == 1 &&
			counts[`sluice_writer_messages_total{result="duplicate"}`] >= 1 &&
			counts[`sluice_writer_messages_total{result="conflict"}`] >= 1
	})
}

func TestWebhook_signature(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{API: map[string]string{"WEBHOOK_SECRET_PREVIOUS": "the one before"}})
	n := 0
	body := func() []byte {
		n++
		return load.Body(hello(fmt.Sprint("signed", n)))
	}
	good := func(b []byte) string { return sign(harness.Secret, b) }
	tests := []struct {
		name   string
		header func(body []byte) []string
		status int
	}{
		{"right", func(b []byte) []string { return []string{"X-Signature", good(b)} }, 200},
		{"of the previous secret", func(b []byte) []string { return []string{"X-Signature", sign("the one before", b)} }, 200},
		{"in the other header", func(b []byte) []string { return []string{"X-Hub-Signature-256", "sha256=" + good(b)} }, 200},
		{"in a header of other case", func(b []byte) []string { return []string{"x-sIGNATURE", good(b)} }, 200},
		{"missing", func([]byte) []string { return nil }, 401},
		{"empty", func([]byte) []string { return []string{"X-Signature", ""} }, 401},
		{"of another secret", func(b []byte) []string { return []string{"X-Signature", sign("wrong", b)} }, 401},
		{"of an empty secret", func(b []byte) []string { return []string{"X-Signature", sign("", b)} }, 401},
		{"of another body", func(b []byte) []string { return []string{"X-Signature", good(b[1:])} }, 401},
		{"in capitals", func(b []byte) []string { return []string{"X-Signature", strings.ToUpper(good(b))} }, 401},
		{"cut short", func(b []byte) []string { return []string{"X-Signature", good(b)[:63]} }, 401},
		{"with more behind", func(b []byte) []string { return []string{"X-Signature", good(b) + "0"} }, 401},
		{"with the other header's prefix", func(b []byte) []string { return []string{"X-Signature", "sha256=" + good(b)} }, 401},
		{"in the other header without prefix", func(b []byte) []string { return []string{"X-Hub-Signature-256", good(b)} }, 401},
	}
	for _, test := range tests {
		b := body()
		res := p.Do("POST", "/webhook", b, test.header(b)...)
		if res.Status != test.status {
			t.Errorf("%s: %d, want %d", test.name, res.Status, test.status)
		}
		if test.status == 401 && string(res.Body) != `{"detail":"invalid signature"}` {
			t.Errorf("%s: %s", test.name, res.Body)
		}
	}
}

func TestWebhook_nothingIsParsedBeforeTheSignatureHolds(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, body := range []string{"", "not JSON", `{}`, string(load.Body(hello("one")))} {
		res := p.Do("POST", "/webhook", []byte(body), "X-Signature", sign("wrong", []byte(body)))
		if res.Status != 401 {
			t.Errorf("%q: %d %s", body, res.Status, res.Body)
		}
	}
	if page := p.Messages(); page.Total != 0 {
		t.Errorf("%d messages came in", page.Total)
	}
}

func TestWebhook_bodySize(t *testing.T) {
	t.Parallel()
	const most = 10_000
	p := harness.Start(t, harness.Options{API: map[string]string{"MAX_BODY_BYTES": fmt.Sprint(most)}})
	sized := func(id string, size int) []byte {
		b := load.Body(hello(id))
		return append(b, bytes.Repeat([]byte{' '}, size-len(b))...)
	}
	if res := p.PostBody(sized("just fits", most)); res.Status != 200 {
		t.Errorf("a body of MAX_BODY_BYTES: %d %s", res.Status, res.Body)
	}
	wantDetail(t, p.PostBody(sized("one more", most+1)), 413)
	wantDetail(t, p.Do("POST", "/webhook", sized("not signed", most+1)), 413)
	wantDetail(t, p.PostBody(sized("much more", 20*most)), 413)
}

func TestWebhook_bodySizeByDefault(t *testing.T) {
	t.Parallel()
	p := start(t)
	b := load.Body(hello("large"))
	b = append(b, bytes.Repeat([]byte{' '}, 4<<20-len(b))...)
	if res := p.PostBody(b); res.Status != 200 {
		t.Errorf("a body of 4 MiB: %d %s", res.Status, res.Body)
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, path := range []string{"/messages", "/health/live", "/nowhere"} {
		one, two := p.Get(path).Header.Get("X-Request-ID"), p.Get(path).Header.Get("X-Request-ID")
		if one == "" || one == two {
			t.Errorf("GET %s: two requests have ids %q and %q", path, one, two)
		}
	}
	if got := p.Do("GET", "/messages", nil, "X-Request-ID", "req-1.2_3").Header.Get("X-Request-ID"); got != "req-1.2_3" {
		t.Errorf("the caller's id came back as %q", got)
	}
	for _, insane := range []string{strings.Repeat("x", 4000), "日本", "a\tb"} {
		if got := p.Do("GET", "/messages", nil, "X-Request-ID", insane).Header.Get("X-Request-ID"); got == "" || got == insane {
			t.Errorf("an id of %d bytes that makes no sense came back as %q", len(insane), got)
		}
	}
	if got := p.PostBody([]byte("{")).Header.Get("X-Request-ID"); got == "" {
		t.Error("a refused POST has no request id")
	}
}

func TestTrace_leadsFromTheSenderToTheWritersLog(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{API: patient, Writer: map[string]string{"LOG_LEVEL": "DEBUG"}})
	const trace = "0af7651916cd43dd8448eb211c80319c"
	post := func(m message.Message, requestID string) {
		body := load.Body(m)
		res := p.Do("POST", "/webhook", body, "X-Signature", harness.Sign(body), "X-Request-ID", requestID,
			"traceparent", "00-"+trace+"-b7ad6b7169203331-01")
		if res.Status != 200 {
			t.Fatalf("%d %s", res.Status, res.Body)
		}
	}
	post(hello("traced"), "first")
	publish(t, p, "webhooks.plain", "garbage") // by who says nothing of himself
	p.WaitApplied(2)
	var entry struct{ RequestID, Traceparent string }
	p.Decode("/entries/1", &entry)
	if entry.Traceparent != "00-"+trace+"-b7ad6b7169203331-01" {
		t.Errorf("the entry: %+v", entry)
	}
	logged := func(msg string, seq float64) (line harness.Line) {
		harness.Eventually(t, msg, func() bool {
			for _, line = range p.Writer.Log() {
				if line["msg"] == msg && line["seq"] == seq {
					return true
				}
			}
			return false
		})
		return line
	}
	if line := logged("entry applied", 1); line["request_id"] != "first" || line["trace_id"] != trace {
		t.Errorf("%v", line)
	}
	if line := logged("dead letter: the entry can never be applied", 2); line["request_id"] != nil || line["trace_id"] != nil {
		t.Errorf("%v", line)
	}
}

func TestRoutes_unknownAndWrongMethod(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, path := range []string{"/nowhere", "/webhook/nobody", "/messages/", "/health", "/webhook/"} {
		if res := p.Get(path); res.Status != 404 && res.Status != 405 {
			t.Errorf("GET %s: %d %s", path, res.Status, res.Body)
		}
	}
	wantDetail(t, p.Get("/nowhere"), 404)
	wantDetail(t, p.Do("POST", "/webhook/whatsapp", nil), 404)
	for _, r := range [][2]string{{"GET", "/webhook"}, {"PUT", "/webhook"}, {"POST", "/messages"}, {"DELETE", "/messages/one"}, {"POST", "/stats"}} {
		wantDetail(t, p.Do(r[0], r[1], nil), 405)
	}
	res := p.Do("GET", "/nowhere", nil, "Accept", "application/problem+json")
	problem := object(t, res.Body)
	if res.Status != 404 || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/problem+json") ||
		problem["status"] != 404.0 || problem["title"] == nil {
		t.Errorf("asked for a problem: %d %s %s", res.Status, res.Header.Get("Content-Type"), res.Body)
	}
}
