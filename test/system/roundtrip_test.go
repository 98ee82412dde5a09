package system

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"sluice/test/harness"
)

func TestRoundTrip_theGetRightAfterThePostSeesTheMessage(t *testing.T) {
	t.Parallel()
	p := start(t)
	for i := range 50 {
		m := hello(fmt.Sprint("m", i))
		seq := p.Post(m)

		res := p.Get("/messages?limit=100")
		applied, err := strconv.ParseUint(res.Header.Get("X-Applied-Sequence"), 10, 64)
		if err != nil || applied < seq {
			t.Errorf("sequence %d was acknowledged, X-Applied-Sequence is %q", seq, res.Header.Get("X-Applied-Sequence"))
		}
		o := object(t, res.Body)
		if o["total"] != float64(i+1) || len(o["data"].([]any)) != i+1 {
			t.Fatalf("after %d messages: %s", i+1, res.Body)
		}
		if _, ok := p.Message(m.ID); !ok {
			t.Fatalf("message %q is not there", m.ID)
		}
		var stats struct {
			Total int `json:"total_messages"`
		}
		if p.Decode("/stats", &stats); stats.Total != i+1 {
			t.Fatalf("after %d messages /stats counts %d", i+1, stats.Total)
		}
	}
}

func TestRoundTrip_shapes(t *testing.T) {
	t.Parallel()
	p := start(t)
	before := time.Now()
	seq := p.Post(hello("one"))

	page := object(t, p.Get("/messages").Body)
	wantMembers(t, page, "data", "total", "limit", "offset", "next_cursor")
	if page["limit"] != 50.0 || page["offset"] != 0.0 || page["next_cursor"] != nil {
		t.Errorf("the page says %v", page)
	}
	row := page["data"].([]any)[0].(map[string]any)
	wantMembers(t, row, "message_id", "from", "to", "ts", "text")
	if row["message_id"] != "one" || row["from"] != "+919876543210" || row["to"] != "+14155550100" ||
		row["ts"] != "2025-01-15T10:00:00Z" || row["text"] != "Hello" {
		t.Errorf("the row says %v", row)
	}

	detail := object(t, p.Get("/messages/one").Body)
	wantMembers(t, detail, "message_id", "from", "to", "ts", "text", "seq", "source", "created_at")
	if detail["seq"] != float64(seq) || detail["source"] != "plain" {
		t.Errorf("the message says %v", detail)
	}
	created, err := time.Parse(time.RFC3339Nano, detail["created_at"].(string))
	if err != nil || created.Before(before) || created.After(time.Now()) || created.Location() != time.UTC {
		t.Errorf("created_at is %v: %v", detail["created_at"], err)
	}

	res := p.Get("/messages/two")
	wantDetail(t, res, 404)
}

func TestRoundTrip_textMayBeAbsentNullOrEmpty(t *testing.T) {
	t.Parallel()
	p := start(t)
	const head = `{"from":"+1","to":"+2","ts":"2025-01-15T10:00:00Z",`
	for _, body := range []string{
		head + `"message_id":"a absent"}`,
		head + `"message_id":"b null","text":null}`,
		head + `"message_id":"c empty","text":""}`,
	} {
		if res := p.PostBody([]byte(body)); res.Status != 200 {
			t.Fatalf("%s: %d %s", body, res.Status, res.Body)
		}
	}
	rows := p.Messages().Data
	if len(rows) != 3 || rows[0].Text != nil || rows[1].Text != nil || rows[2].Text == nil || *rows[2].Text != "" {
		t.Errorf("got %+v", rows)
	}
}

func TestAfter_waitsNoLongerThanReadWait(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{API: map[string]string{"READ_WAIT": "50ms"}})
	seq := p.Post(hello("one"))
	for _, path := range []string{"/messages", "/messages/one", "/stats"} {
		harness.Eventually(t, "GET "+path+" with the message", func() bool {
			res := p.Get(fmt.Sprintf("%s?after=%d", path, seq))
			return res.Status == 200 && res.Header.Get("X-Applied-Sequence") == fmt.Sprint(seq)
		})
		res := p.Get(fmt.Sprintf("%s?after=%d", path, seq+1000))
		if res.Status != 200 || res.Header.Get("X-Applied-Sequence") != fmt.Sprint(seq) {
			t.Errorf("GET %s for a sequence that never comes: %d, applied %q", path, res.Status, res.Header.Get("X-Applied-Sequence"))
		}
	}
}
