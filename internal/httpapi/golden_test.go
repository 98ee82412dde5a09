package httpapi_test

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/internal/httpapi"
	"sluice/pkg/message"
	"sluice/pkg/signature"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Statuses, headers and bodies are a promise: each file in testdata is one answer.
func TestAnswers_goldenBytes(t *testing.T) {
	const problem = "application/problem+json"
	body, again := delivery("m1"), delivery("m2")
	text, other := "<b>é 😀</b> \" \u2028", "Hello"
	unavailable := fmt.Errorf("the writer has not made it yet: %w", message.ErrUnavailable)
	withPage := func(a *api) {
		m := message.Message{ID: "m1", From: "+1", To: "+2", TS: "2025-01-15T10:00:00Z", Text: &text}
		m2 := message.Message{ID: "m2", From: "+1", To: "+2", TS: "2025-01-15T10:00:00.5Z"}
		a.page = message.Page{Records: []message.Record{{Message: m}, {Message: m2}}, Total: 7, Next: &message.Position{At: m2.Instant(), ID: "m2"}}
	}
	type request struct {
		prepare func(*api)
		ask     func(*api) answer
	}
	get := func(target string, prepare func(*api), header ...string) request {
		return request{prepare, func(a *api) answer { return a.get(target, append(header, "X-Request-ID", "golden")...) }}
	}
	post := func(body, sig string, prepare func(*api), header ...string) request {
		return request{prepare, func(a *api) answer {
			return a.post(body, append(header, "X-Request-ID", "golden", signature.HexHMACHeader, sig)...)
		}}
	}
	accept := func(a *api) { a.postSigned(body) }
	for name, r := range map[string]request{
		"webhook_created":             post(body, sign(body), nil),
		"webhook_duplicate":           post(body, sign(body), accept),
		"webhook_duplicate_other":     post(strings.Replace(body, "Hello", "Bye", 1), sign(strings.Replace(body, "Hello", "Bye", 1)), accept),
		"webhook_second":              post(again, sign(again), accept),
		"webhook_no_signature":        post(body, "", nil),
		"webhook_wrong_signature":     post(body, sign(again), nil),
		"webhook_wrong_signature_rfc": post(body, "no", nil, "Accept", problem),
		"webhook_too_large":           post(strings.Repeat("x", 3000), "no", nil),
		"webhook_not_json":            post("garbage", sign("garbage"), nil),
		"webhook_not_an_object":       post("[]", sign("[]"), nil),
		"webhook_empty":               post("", sign(""), nil),
		"webhook_every_field":         post(`{"message_id":"","from":"1","to":5,"text":[]}`, sign(`{"message_id":"","from":"1","to":5,"text":[]}`), nil),
		"webhook_repeated":            post(`{"ts":"a","ts":"b","x":1,"x":2}`, sign(`{"ts":"a","ts":"b","x":1,"x":2}`), nil),
		"webhook_not_valid_rfc":       post("{}", sign("{}"), nil, "Accept", problem),
		"webhook_unavailable":         post(body, sign(body), func(a *api) { a.publishErr = errors.New("10.0.0.7: i/o timeout") }),
		"webhook_unavailable_rfc":     post(body, sign(body), func(a *api) { a.publishErr = message.ErrDisconnected }, "Accept", problem),
		"webhook_without_a_database":  post(body, sign(body), func(a *api) { a.readErr = unavailable }),
		"messages_none":               get("/messages", nil),
		"messages_page":               get("/messages?limit=2&offset=3", withPage),
		"messages_descending":         get("/messages?limit=2&order=desc", withPage),
		"messages_every_parameter":    get("/messages?limit=0&offset=-1&from=x&since=x&order=x&cursor=x&after=x&q=%25ff&q=1", nil),
		"messages_without_a_database": get("/messages", func(a *api) { a.readErr = unavailable }),
		"message":                     get("/messages/m1", accept),
		"message_unknown":             get("/messages/m2", accept),
		"message_unknown_rfc":         get("/messages/m2", accept, "Accept", problem),
		"message_bad_after":           get("/messages/m1?after=", accept),
		"message_without_a_database":  get("/messages/m1", func(a *api) { a.readErr = unavailable }),
		"stats": get("/stats", func(a *api) {
			a.stats = message.Stats{Messages: 9, Senders: 2, Top: []message.SenderCount{{From: "+1", Count: 5}, {From: "+2", Count: 4}}, FirstTS: &text, LastTS: &other}
		}),
		"stats_empty":                 get("/stats", nil),
		"stats_without_a_database":    get("/stats", func(a *api) { a.readErr = unavailable }),
		"timeline":                    get("/stats/timeline?buckets=2&unit=day&until=2025-01-15T10:00:00Z", nil),
		"timeline_bad":                get("/stats/timeline?buckets=x&unit=month", nil),
		"tail_bad":                    get("/tail?newest=0&from=x", nil, "Last-Event-ID", "x"),
		"tail_without_a_database":     get("/tail", func(a *api) { a.readErr = unavailable }),
		"pipeline":                    get("/pipeline", func(a *api) { accept(a); a.lag = 1 }),
		"pipeline_without_a_stream":   get("/pipeline", func(a *api) { accept(a); a.publishErr = message.ErrDisconnected }),
		"pipeline_without_a_database": get("/pipeline", func(a *api) { accept(a); a.readErr = unavailable }),
		"health_live":                 get("/health/live", nil),
		"health_ready":                get("/health/ready", nil),
		"health_not_ready":            get("/health/ready", func(a *api) { a.health["query_database"] = "no such file" }),
		"health_ready_ingest":         get("/health/ready/ingest", func(a *api) { a.health["query_database"] = "no such file" }),
		"health_ready_query":          get("/health/ready/query", func(a *api) { a.health["query_database"] = "no such file" }),
		"unknown_path":                get("/nothing", nil),
		"unknown_path_rfc":            get("/nothing", nil, "Accept", "text/html;q=0.9, application/problem+json"),
		"wrong_method":                get("/webhook", nil),
		"bug_of_ours":                 get("/messages", func(a *api) { a.readErr = errors.New("disk I/O error") }),
		"panic":                       get("/messages", func(a *api) { a.panics = true }),
		"wrong_method_of_messages":    {nil, func(a *api) answer { return a.do("DELETE", "/messages", "", "X-Request-ID", "golden") }},
		"wrong_method_of_a_message_rfc": {nil, func(a *api) answer {
			return a.do("PUT", "/messages/m1", "", "X-Request-ID", "golden", "Accept", problem)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			a := start(t, func(cfg *httpapi.Config) { cfg.MaxBodyBytes = 2000 })
			if r.prepare != nil {
				r.prepare(a)
			}
			compare(t, name, dump(r.ask(a)))
		})
	}
}

// dump writes an answer as it is on the wire, headers sorted, without the date.
func dump(got answer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s\n", got.status, http.StatusText(got.status))
	var names []string
	for name := range got.header {
		if name != "Date" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(got.header[name], ", "))
	}
	return b.String() + "\n" + got.body + "\n"
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
