package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/pkg/contract"
	"sluice/pkg/message"
)

// strangeIDs are all legal.
var strangeIDs = []string{
	"m1", "a/b", "/", "//", "/a", "a/", "a//b", ".", "..", "../stats", "./a", "a/../b", "a/./b", "...", " ", "  a  ", "a b", "a+b", "+",
	"?", "a?b=c", "#", "a#b", "%", "%2F", "%25", "%zz", "100%", ";", ":", "http://x/y", "x://y", "@", "&", "=", "*", "\\", "\"", "<a>",
	"\x00", "a\x00b", "\r\n", "\n", "\t", "\x7f", "é", "😀", "\u2028", "\ufffd", "message_id", "{message_id}", "stats", "A", "a",
	strings.Repeat("/", 1024), strings.Repeat("é", 512), strings.Repeat("\x01", 1024),
}

func TestMessage_everyLegalIDIsReachable(t *testing.T) {
	a := start(t)
	for _, id := range strangeIDs {
		if got := a.postSigned(delivery(id)); got.status != 200 {
			t.Fatalf("%q: %+v", id, got)
		}
	}
	for i, id := range strangeIDs {
		for name, path := range map[string]string{
			"as Go escapes it":           url.PathEscape(id),
			"every byte escaped":         everyByte(id),
			"no more than must be":       sparingly(id),
			"sparingly, with parameters": sparingly(id) + "?after=0&x=%2F..%2F",
		} {
			got := a.get("/messages/" + path)
			var detail contract.MessageDetail
			if err := json.Unmarshal([]byte(got.body), &detail); err != nil || got.status != 200 || detail.ID != id || detail.Seq != uint64(i+1) {
				t.Errorf("%q, %s: %.60s: %+v", id, name, path, got)
			}
		}
	}
}

func everyByte(id string) string {
	var b strings.Builder
	for i := range len(id) {
		fmt.Fprintf(&b, "%%%02x", id[i])
	}
	return b.String()
}

// sparingly escapes what would not reach the server as it is.
func sparingly(id string) string {
	var b strings.Builder
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("%?#", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func TestMessage_whatIsNoIDIsNotFound(t *testing.T) {
	a := start(t)
	a.postSigned(delivery("m1"))
	for _, target := range []string{
		"/messages/", "/messages/M1", "/messages/m1/", "/messages/m1%20", "/messages/%zz", "/messages/%", "/messages/%ff",
		"/messages/" + strings.Repeat("a", 1025), "//messages/m1", "/Messages/m1", "/messages/../messages/m1", "/stats/../messages/m1", "/messages%2Fm1",
	} {
		if got := a.get(target); got.status != 404 || !strings.HasPrefix(got.body, `{"detail":"`) {
			t.Errorf("%.60s: %+v", target, got)
		}
	}
}

func TestMessages_asksTheReaderWhatWasAsked(t *testing.T) {
	a := start(t)
	at := time.Date(2025, 1, 15, 10, 0, 0, 500_000_000, time.UTC)
	a.page.Next = &message.Position{At: at, ID: "m/1"}

	first := a.get("/messages?limit=7&offset=2&from=+123&to=%2B456&since=2025-01-15T10:00:00.5Z&until=2025-01-15T10:00:00.5Z&q=100%25_&order=desc&other=x")
	if first.status != 200 {
		t.Fatalf("%+v", first)
	}
	want := message.PageRequest{Filter: message.Filter{From: "+123", To: "+456", Text: "100%_"}, Descending: true, Limit: 7, Offset: 2}
	got := a.asked
	if got.Since == nil || !got.Since.Equal(at) || got.Until == nil || !got.Until.Equal(at) {
		t.Errorf("since %v, until %v", got.Since, got.Until)
	}
	got.Since, got.Until = nil, nil
	if got != want {
		t.Errorf("asked %+v", got)
	}

	var page contract.MessagePage
	if err := json.Unmarshal([]byte(first.body), &page); err != nil || page.NextCursor == nil {
		t.Fatalf("%+v, %v", first, err)
	}
	if got := a.get("/messages?limit=7&cursor=" + *page.NextCursor); got.status != 200 {
		t.Fatalf("%+v", got)
	}
	if got := a.asked; got.After == nil || *got.After != *a.page.Next || !got.Descending || got.Limit != 7 {
		t.Errorf("asked %+v", got)
	}
}

func TestReads_waitForOnesOwnWrites(t *testing.T) {
	a := start(t)
	for _, target := range []string{"/messages", "/messages/m1", "/stats"} {
		posted := a.postSigned(delivery("m1"))
		a.change(func() { a.lag = 1 })
		time.AfterFunc(5*time.Millisecond, func() { a.change(func() { a.lag = 0 }) })
		if got := a.get(target); got.header.Get(contract.HeaderAppliedSequence) != posted.header.Get(contract.HeaderStreamSequence) {
			t.Errorf("%s: %+v after %+v", target, got, posted)
		}
	}
}

func TestReads_waitForASequenceThatIsNamed(t *testing.T) {
	a := start(t)
	for i, target := range []string{"/messages?after=", "/messages/other?after=", "/stats?after="} {
		want := strconv.Itoa(i + 1)
		time.AfterFunc(5*time.Millisecond, func() { // by another api
			a.change(func() { a.entries = append(a.entries, message.Entry{}) })
		})
		got := a.get(target + want)
		if applied := got.header.Get(contract.HeaderAppliedSequence); got.status == 200 && applied != want || got.status > 404 {
			t.Errorf("%s: %+v", target, got)
		}
	}
}

func TestReads_answerWithWhatThereIs(t *testing.T) {
	a := start(t)
	a.postSigned(delivery("m1"))
	a.change(func() { a.lag = 1 })
	if got := a.get("/messages"); got.status != 200 || got.header.Get(contract.HeaderAppliedSequence) != "0" {
		t.Errorf("%+v", got)
	}
}
