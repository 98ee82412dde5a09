package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/internal/httpapi"
	"sluice/internal/operator"
	"sluice/pkg/contract"
	"sluice/pkg/message"
)

func decode[T any](t *testing.T, a answer) (body T) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || a.status != 200 {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return body
}

func TestRejections_keepWhyAndFromWhere(t *testing.T) {
	a := start(t, func(cfg *httpapi.Config) { cfg.MaxBodyBytes = 2000 })
	a.postSigned(delivery("fine"))
	a.post(delivery("m1"), "X-Signature", "cafe", "Authorization", "Bearer abc", "X-Trace", "t1", "X-Request-ID", "r1")
	a.postSigned(`{"message_id":"m2","from":"who","to":"+1","ts":"2025-01-15T10:00:00Z","text":"private words"}`)
	a.postSigned(strings.Repeat("x", 3000))
	a.change(func() { a.publishErr = message.ErrDisconnected })
	a.postSigned(delivery("m3"))

	page := a.get("/rejections")
	got := decode[contract.Rejections](t, page)
	if got.Total != 4 || len(got.Data) != 4 {
		t.Fatalf("%d of %d", len(got.Data), got.Total)
	}
	var statuses []int
	for _, r := range got.Data {
		statuses = append(statuses, r.Status)
		if r.Path != "/webhook" || r.Source != "plain" || r.Address != "127.0.0.1" || r.At == "" || r.RequestID == "" {
			t.Errorf("%+v", r)
		}
	}
	if fmt.Sprint(statuses) != "[503 413 422 401]" {
		t.Errorf("%v", statuses)
	}
	if r := got.Data[2]; !strings.Contains(r.Reason, "from") || r.Code != contract.CodeInvalid {
		t.Errorf("%+v", r)
	}
	headers := map[string]string{}
	for _, h := range got.Data[3].Headers {
		headers[h.Name] = h.Value
	}
	if headers["X-Trace"] != "t1" || headers["X-Signature"] != "••• (4 bytes)" || headers["Authorization"] != "••• (10 bytes)" {
		t.Errorf("%v", headers)
	}
	if r := got.Data[3]; r.Reason != "the signature does not match the body" {
		t.Errorf("a wrong signature: %q", r.Reason)
	}
	for _, h := range got.Data[1].Headers {
		if h.Name == "Content-Length" && h.Value != "3000" || strings.Contains(strings.ToLower(h.Name), "oversized") {
			t.Errorf("of a body too large, %s is %s", h.Name, h.Value)
		}
	}
	if strings.Contains(page.body, "private words") || strings.Contains(page.body, "cafe") {
		t.Error("a body or a secret was kept")
	}
}

func TestRejections_areBounded(t *testing.T) {
	a := start(t)
	for i := range 250 {
		a.post("{}", "X-Request-ID", fmt.Sprint("r", i), "X-Long", strings.Repeat("é", 1000))
	}
	got := decode[contract.Rejections](t, a.get("/rejections"))
	if got.Total != 250 || len(got.Data) != 200 || got.Data[0].RequestID != "r249" || got.Data[199].RequestID != "r50" {
		t.Errorf("%d of %d, from %s", len(got.Data), got.Total, got.Data[0].RequestID)
	}
	for _, h := range got.Data[0].Headers {
		if len(h.Value) > 260 {
			t.Errorf("%s has %d bytes", h.Name, len(h.Value))
		}
	}
}

func TestEntry_isWhatTheStreamHolds(t *testing.T) {
	a := start(t)
	a.postSigned(delivery("m1"))
	got := decode[contract.Entry](t, a.get("/entries/1"))
	if got.Sequence != 1 || got.MsgID != "m1" || got.Source != "plain" || got.StoredBy != nil || !strings.Contains(got.Data, `"Hello"`) {
		t.Errorf("%+v", got)
	}
	for _, none := range []string{"/entries/2", "/entries/0", "/entries/x", "/entries/-1", "/entries/"} {
		if got := a.get(none); got.status != 404 {
			t.Errorf("%s: %d", none, got.status)
		}
	}
	a.counts(`http_requests_total{method="GET",path="/entries/{sequence}",status="200"} 1`)
}

// writerAnswers serves with a token and a writer that answers so, and keeps what it
// was asked.
func writerAnswers(t *testing.T, done contract.DeadLettersAnswer, err error) (a *api, asked *[]string) {
	asked = &[]string{}
	return start(t, func(cfg *httpapi.Config) {
		cfg.Guard = operator.NewGuard("secret token", time.Now)
		cfg.AskWriter = func(_ context.Context, command string, request []byte) ([]byte, error) {
			*asked = append(*asked, command+" "+string(request))
			data, _ := json.Marshal(done)
			return data, err
		}
	}), asked
}

func TestDeadLetters_areListedWithTheirFirstBytes(t *testing.T) {
	a := start(t)
	a.change(func() {
		a.letters = []message.DeadLetter{{Seq: 7, CreatedAt: acceptedAt, Source: "plain", Reason: "no JSON", Data: []byte(strings.Repeat("\xff", 5000))}}
	})
	got := decode[contract.DeadLetters](t, a.get("/dead-letters"))
	if len(got.Data) != 1 || got.Total != 2 || got.Data[0].Sequence != 7 || got.Data[0].Bytes != 5000 || len(got.Data[0].Data) != 4096 || got.Data[0].Reason != "no JSON" {
		t.Errorf("%+v", got)
	}
}

func TestDeadLetters_areRetriedAndDiscardedByTheWriter(t *testing.T) {
	a, asked := writerAnswers(t, contract.DeadLettersAnswer{Inserted: 1, Reasons: []contract.DeadLetterReason{}, Unknown: []uint64{}}, nil)
	for _, command := range []string{"retry", "discard"} {
		got := decode[contract.DeadLettersAnswer](t, a.do("POST", "/dead-letters/7/"+command, "", "Authorization", rightToken))
		if got.Inserted != 1 {
			t.Errorf("%s: %+v", command, got)
		}
	}
	if want := `[dead_letters.retry {"sequences":[7]} dead_letters.discard {"sequences":[7]}]`; fmt.Sprint(*asked) != want {
		t.Errorf("asked %v", *asked)
	}
	if got := a.do("POST", "/dead-letters/x/retry", "", "Authorization", rightToken); got.status != 404 {
		t.Errorf("no sequence: %d", got.status)
	}
	if got := a.do("POST", "/dead-letters/7/retry", ""); got.status != 401 || len(*asked) != 2 {
		t.Errorf("a stranger: %d", got.status)
	}
}

func TestDeadLetters_sayWhyNothingWasDone(t *testing.T) {
	refused := contract.DeadLettersAnswer{WriterError: contract.WriterError{Error: "the disk is full"}}
	for name, c := range map[string]struct {
		done   contract.DeadLettersAnswer
		err    error
		status int
	}{
		"unknown":      {contract.DeadLettersAnswer{Unknown: []uint64{7}}, nil, 404},
		"refused":      {refused, nil, 409},
		"no writer":    {contract.DeadLettersAnswer{}, httpapi.ErrNoWriter, 503},
		"disconnected": {contract.DeadLettersAnswer{}, message.ErrDisconnected, 503},
		"a bug":        {contract.DeadLettersAnswer{}, errors.New("?"), 500},
	} {
		a, _ := writerAnswers(t, c.done, c.err)
		if got := a.do("POST", "/dead-letters/7/retry", "", "Authorization", rightToken); got.status != c.status {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if got := start(t).do("POST", "/dead-letters/7/discard", ""); got.status != 403 || !strings.Contains(got.body, "OPERATOR_TOKEN") {
		t.Errorf("where there is no token: %d %s", got.status, got.body)
	}
}
