// Package system tests the public contract from outside: it starts the real
// programs and talks HTTP, NATS and SQL to them. A test is a sentence of the
// contract; what it needs beside that is in package harness.
package system

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"sluice/pkg/message"
	"sluice/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// patient makes a GET wait for its writes as long as a slow test machine may
// need; tests that are not about READ_WAIT itself use it.
var patient = map[string]string{"READ_WAIT": "20s"}

// start runs a pipeline whose reads see its writes.
func start(t *testing.T) *harness.Pipeline {
	t.Helper()
	return harness.Start(t, harness.Options{API: patient})
}

// hello is a valid message with that id.
func hello(id string) message.Message {
	text := "Hello"
	return message.Message{ID: id, From: "+919876543210", To: "+14155550100", TS: "2025-01-15T10:00:00Z", Text: &text}
}

// numbered returns n valid messages, a second apart, whose ids start with prefix.
func numbered(prefix string, n int) []message.Message {
	var all []message.Message
	for i := range n {
		m := hello(fmt.Sprintf("%s%05d", prefix, i))
		m.TS = fmt.Sprintf("2025-01-15T%02d:%02d:%02dZ", i/3600%24, i/60%60, i%60)
		all = append(all, m)
	}
	return all
}

// object decodes a JSON object.
func object(t *testing.T, body []byte) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal(body, &o); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return o
}

// wantMembers compares the names of an object's members.
func wantMembers(t *testing.T, o map[string]any, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(o)); !slices.Equal(got, want) {
		t.Errorf("the object has members %q, want %q", got, want)
	}
}

// wantDetail checks a refusal: its status and a detail that says something.
func wantDetail(t *testing.T, res *harness.Response, status int) {
	t.Helper()
	if res.Status != status {
		t.Errorf("status %d, want %d: %s", res.Status, status, res.Body)
		return
	}
	o := object(t, res.Body)
	wantMembers(t, o, "detail")
	if o["detail"] == "" || o["detail"] == nil {
		t.Errorf("the detail says nothing: %s", res.Body)
	}
}

// brokenFields returns the fields that a 422 lists, each with a message and a type.
func brokenFields(t *testing.T, res *harness.Response, place string) []string {
	t.Helper()
	if res.Status != 422 {
		t.Fatalf("status %d, want 422: %s", res.Status, res.Body)
	}
	var body struct {
		Detail []struct {
			Loc  []string `json:"loc"`
			Msg  string   `json:"msg"`
			Type string   `json:"type"`
		} `json:"detail"`
	}
	if err := json.Unmarshal(res.Body, &body); err != nil {
		t.Fatalf("%v: %s", err, res.Body)
	}
	fields := []string{}
	for _, d := range body.Detail {
		if len(d.Loc) == 0 || d.Loc[0] != place || d.Msg == "" || d.Type == "" {
			t.Errorf("a broken rule is told as %+v", d)
			continue
		}
		if len(d.Loc) > 1 {
			fields = append(fields, d.Loc[1])
		}
	}
	if len(body.Detail) == 0 {
		t.Errorf("nothing is listed: %s", res.Body)
	}
	return fields
}

// messageOf returns the message in a row.
func messageOf(row harness.Row) message.Message {
	return message.Message{ID: row.ID, From: row.From, To: row.To, TS: row.TS, Text: row.Text}
}
