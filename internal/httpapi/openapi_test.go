package httpapi_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/content"
	"github.com/pb33f/libopenapi-validator/errors"

	"sluice/internal/httpapi"
	"sluice/internal/operator"
	"sluice/internal/query"
	"sluice/pkg/contract"
	"sluice/pkg/message"
	"sluice/pkg/signature"
)

// document is the OpenAPI document as a judge of requests and answers. What it does
// not name, member or header, is not allowed.
var document = sync.OnceValues(func() (validator.Validator, error) {
	doc, err := libopenapi.NewDocument(contract.OpenAPI)
	if err != nil {
		return nil, err
	}
	v, errs := validator.NewValidator(doc,
		config.WithStrictMode(), config.WithStrictIgnorePaths("$.body.checks.*"), config.WithFormatAssertions(), config.WithoutSecurityValidation(),
		config.WithURLEncodedBodyValidation(), config.WithBodyDecoder(contract.TypeNDJSON, content.DecoderFunc(decodeLines)),
		// Of every answer that is not for senders; guard_test.go has them.
		config.WithStrictIgnoredHeadersExtra("Content-Security-Policy", "Cross-Origin-Opener-Policy",
			"Cross-Origin-Resource-Policy", "Referrer-Policy", "X-Content-Type-Options", "X-Frame-Options"))
	if len(errs) > 0 {
		return nil, errs[0]
	}
	return v, nil
})

// decodeLines reads an export as the array that the document describes it by.
func decodeLines(in *content.DecodeInput) (any, error) {
	items := []any{}
	for dec := json.NewDecoder(in.Body); ; {
		var item any
		if err := dec.Decode(&item); err == io.EOF {
			return items, nil
		} else if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
}

func judge(t *testing.T) validator.Validator {
	t.Helper()
	v, err := document()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// asDocumented writes a request as the document can find it: an id in a path may
// hold slashes, and HEAD is GET without the body.
func asDocumented(t *testing.T, method, target, body string, header []string) *http.Request {
	t.Helper()
	path, rawQuery, _ := strings.Cut(target, "?")
	if strings.HasPrefix(path, contract.PathMessages+"/") {
		path = contract.PathMessages + "/x"
	}
	r, err := http.NewRequest(method, "http://api"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.URL.RawQuery = rawQuery
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// checkAnswer fails the test when an answer is not as the document has it. Every
// answer that these tests get goes through here.
func (a *api) checkAnswer(method, target string, got answer) {
	a.t.Helper()
	if !a.server.HasRoute(method, target) || isPage(target) {
		return
	}
	r := asDocumented(a.t, method, target, "", nil)
	resp := &http.Response{StatusCode: got.status, Header: got.header, Body: io.NopCloser(strings.NewReader(got.body))}
	_, errs := judge(a.t).ValidateHttpResponse(r, resp)
	for _, e := range errs {
		a.t.Errorf("%s %s: %d %.300s is not as documented: %v", method, target, got.status, got.body, e)
	}
}

// isPage reports whether a target is one of the pages, which are for people and no part
// of the API.
func isPage(target string) bool {
	path, _, _ := strings.Cut(target, "?")
	return path == contract.PathPage || strings.HasPrefix(path, "/assets/") || strings.HasPrefix(path, "/docs")
}

func TestOpenAPI_isValid(t *testing.T) {
	ok, errs := judge(t).ValidateDocument()
	for _, e := range errs {
		t.Error(e)
	}
	if !ok {
		t.Error("it is no OpenAPI document")
	}
}

func TestOpenAPI_isServed(t *testing.T) {
	got := start(t).get("/openapi.json")
	if got.status != 200 || got.body != string(contract.OpenAPI) || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %v", got.status, got.header)
	}
}

// operations is the document's paths, their methods in upper case and the statuses
// of each.
func operations(t *testing.T) map[string][]string {
	var doc struct {
		Paths map[string]map[string]struct{ Responses map[string]any }
	}
	if err := json.Unmarshal(contract.OpenAPI, &doc); err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for path, methods := range doc.Paths {
		for method, operation := range methods {
			name := strings.ToUpper(method) + " " + path
			all[name] = []string{}
			for status := range operation.Responses {
				all[name] = append(all[name], status)
			}
		}
	}
	return all
}

func TestOpenAPI_hasEveryRouteAndNoOther(t *testing.T) {
	a := startSenders(t, withToken)
	documented := operations(t)
	for name, statuses := range a.server.Routes() {
		if _, path, _ := strings.Cut(name, " "); isPage(path) {
			continue
		}
		got, ok := documented[name]
		if !ok {
			t.Errorf("%s is not in the document", name)
		}
		for _, status := range statuses {
			if !slices.Contains(got, status) {
				t.Errorf("%s answers %s, which is not in the document", name, status)
			}
		}
		delete(documented, name)
	}
	for name := range documented {
		t.Errorf("%s is in the document and no route", name)
	}
}

func withToken(cfg *httpapi.Config) { cfg.Guard = operator.NewGuard("secret token", time.Now) }

// asked is a request to a handler.
type asked struct {
	method, target, body string
	header               []string
	// beyond says that the handler refuses it by a rule that no schema can tell.
	beyond bool
}

// What the document calls valid is taken, and what it does not is refused.
func TestOpenAPI_saysWhatTheHandlersTake(t *testing.T) {
	cursor := query.Cursor(message.Position{At: acceptedAt, ID: "m1"}, false)
	long := strings.Repeat("😀", message.MaxTextCharacters)
	var requests []asked
	for _, body := range []string{
		delivery("m1"), delivery("a/b ?"), delivery(strings.Repeat("x", 1024)), delivery(strings.Repeat("x", 1025)), delivery(""),
		`{}`, `[]`, `null`, `"x"`,
		`{"message_id":"m","from":"+1","to":"+123456789012345","ts":"2025-01-15T10:00:00.123456789Z","text":null}`,
		`{"message_id":"m","from":"+1","to":"+1234567890123456","ts":"2025-01-15T10:00:00Z"}`,
		`{"message_id":"m","from":"1","to":"+2","ts":"2025-01-15T10:00:00Z"}`,
		`{"message_id":"m","from":"+1","to":"+2","ts":"2025-02-30T10:00:00Z"}`,
		`{"message_id":"m","from":"+1","to":"+2","ts":"2025-01-15T10:00:00+00:00"}`,
		`{"message_id":"m","from":"+1","to":"+2","ts":"2025-01-15T10:00:00Z","text":5}`,
		`{"message_id":"m","from":"+1","to":"+2","ts":"2025-01-15T10:00:00Z","text":"` + long + `"}`,
		`{"message_id":"m","from":"+1","to":"+2","ts":"2025-01-15T10:00:00Z","text":"` + long + `x"}`,
		`{"message_id":5,"from":"+1","to":"+2","ts":"2025-01-15T10:00:00Z"}`,
	} {
		requests = append(requests, asked{method: "POST", target: "/webhook", body: body, header: []string{signature.HexHMACHeader, sign(body)}})
	}
	twice := `{"message_id":"m","message_id":"m","from":"+1","to":"+2","ts":"2025-01-15T10:00:00Z"}`
	bytes := delivery(strings.Repeat("é", 1000))
	requests = append(requests,
		asked{method: "POST", target: "/webhook", body: twice, header: []string{signature.HexHMACHeader, sign(twice)}, beyond: true},
		asked{method: "POST", target: "/webhook", body: bytes, header: []string{signature.HexHMACHeader, sign(bytes)}, beyond: true},
		asked{method: "GET", target: "/messages?cursor=x", beyond: true},
		asked{method: "GET", target: "/messages?offset=1&cursor=" + cursor, beyond: true},
		asked{method: "GET", target: "/messages?order=desc&cursor=" + cursor, beyond: true},
	)
	filters := []string{
		"", "from=%2B1", "from=x", "from=", "to=%2B123456789012345", "to=%2B1234567890123456", "since=2025-01-15T10:00:00Z", "since=2025-01-15",
		"until=2025-01-15T10:00:00.5Z", "until=2025-13-15T10:00:00Z", "q=x", "q=%25", "q=",
	}
	for target, more := range map[string][]string{
		"/messages":        append([]string{"limit=1", "limit=100", "limit=101", "limit=0", "limit=x", "offset=5", "offset=-1", "order=desc", "order=x", "cursor=" + cursor, "cursor=", "after=0", "after=-1", "after=x", "limit=9&offset=9&order=asc&from=%2B1&q=a"}, filters...),
		"/messages.ndjson": append([]string{"order=asc", "order=x", "after=0", "after=x"}, filters...),
		"/messages.csv":    append([]string{"order=desc", "order=x", "after=0", "after=x"}, filters...),
		"/messages/m1":     {"", "after=0", "after=x", "after="},
		"/stats":           {"", "after=0", "after=x"},
		"/stats/timeline":  {"", "unit=day", "unit=week", "buckets=400", "buckets=401", "buckets=0", "from=%2B1", "from=1", "until=2025-01-15T10:00:00Z", "until=x"},
		"/entries/1":       {""}, "/pipeline": {""}, "/pipeline/history": {""}, "/rejections": {""}, "/dead-letters": {""}, "/metrics": {""},
		"/health/live": {""}, "/health/ready": {""}, "/health/ready/ingest": {""}, "/health/ready/query": {""}, "/openapi.json": {""},
	} {
		for _, q := range more {
			requests = append(requests, asked{method: "GET", target: target + "?" + q})
		}
	}
	a := start(t)
	a.postSigned(delivery("m1"))
	for _, r := range requests {
		got := a.do(r.method, r.target, r.body, r.header...)
		valid, errs := judge(t).ValidateHttpRequest(asDocumented(t, r.method, r.target, r.body, r.header))
		if r.beyond {
			valid = false
		}
		if refused := got.status == 422; refused == valid || !refused && got.status != 200 {
			t.Errorf("%s %s %.200s: %d %.200s, and the document says %v", r.method, r.target, r.body, got.status, got.body, said(errs))
		}
	}
}

func said(errs []*errors.ValidationError) string {
	if len(errs) == 0 {
		return "that it is valid"
	}
	all := make([]string, len(errs))
	for i, e := range errs {
		all[i] = e.Error()
	}
	return strings.Join(all, "; ")
}
