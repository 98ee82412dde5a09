package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"sluice/pkg/message"
	"sluice/pkg/signature"
	"sluice/test/load"
)

// Response is an answer with its whole body.
type Response struct {
	Status int
	Header http.Header
	Close  bool // it says Connection: close, which net/http takes out of Header
	Body   []byte
}

// Sequence returns X-Stream-Sequence, 0 when it is absent.
func (r *Response) Sequence() uint64 {
	n, _ := strconv.ParseUint(r.Header.Get("X-Stream-Sequence"), 10, 64)
	return n
}

// Row is a message as the api shows it. The last three are absent in lists.
type Row struct {
	ID        string  `json:"message_id"`
	From      string  `json:"from"`
	To        string  `json:"to"`
	TS        string  `json:"ts"`
	Text      *string `json:"text"`
	Seq       uint64  `json:"seq"`
	Source    string  `json:"source"`
	CreatedAt string  `json:"created_at"`
}

// Page is a page of messages as the api shows it.
type Page struct {
	Data       []Row   `json:"data"`
	Total      int     `json:"total"`
	Limit      int     `json:"limit"`
	Offset     int     `json:"offset"`
	NextCursor *string `json:"next_cursor"`
}

// IDs returns the ids of the page's messages, in its order.
func (p *Page) IDs() []string {
	ids := []string{}
	for _, row := range p.Data {
		ids = append(ids, row.ID)
	}
	return ids
}

// Sign returns what X-Signature holds for a body.
func Sign(body []byte) string { return signature.NewHexHMAC(Secret).Sign(body) }

// Do sends a request to the api; header lists names and values in turn. Only an
// answer that never comes fails the test.
func (p *Pipeline) Do(method, path string, body []byte, header ...string) *Response {
	p.t.Helper()
	res, err := p.Try(method, path, body, header...)
	if err != nil {
		p.t.Fatal(err)
	}
	return res
}

// Try is Do for requests that may get no answer. Any goroutine may use it.
func (p *Pipeline) Try(method, path string, body []byte, header ...string) (*Response, error) {
	req, err := http.NewRequest(method, p.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	return &Response{Status: res.StatusCode, Header: res.Header, Close: res.Close, Body: b}, nil
}

// PostBody signs a body and posts it to /webhook.
func (p *Pipeline) PostBody(body []byte) *Response {
	p.t.Helper()
	return p.Do("POST", "/webhook", body, "X-Signature", Sign(body))
}

// Post posts messages and fails the test unless each is answered 200. It returns
// the last one's sequence.
func (p *Pipeline) Post(messages ...message.Message) uint64 {
	p.t.Helper()
	var seq uint64
	for _, m := range messages {
		res := p.PostBody(load.Body(m))
		if res.Status != http.StatusOK {
			p.t.Fatalf("POST %q: %d %s", m.ID, res.Status, res.Body)
		}
		seq = res.Sequence()
	}
	return seq
}

// Get sends a GET.
func (p *Pipeline) Get(path string) *Response {
	p.t.Helper()
	return p.Do("GET", path, nil)
}

// Decode decodes the answer of a GET that must be 200.
func (p *Pipeline) Decode(path string, v any) {
	p.t.Helper()
	res := p.Get(path)
	if res.Status != http.StatusOK {
		p.t.Fatalf("GET %s: %d %s", path, res.Status, res.Body)
	}
	if err := json.Unmarshal(res.Body, v); err != nil {
		p.t.Fatalf("GET %s: %v: %s", path, err, res.Body)
	}
}

// Messages returns a page of /messages; query lists names and values in turn.
func (p *Pipeline) Messages(query ...string) *Page {
	p.t.Helper()
	values := url.Values{}
	for i := 0; i < len(query); i += 2 {
		values.Set(query[i], query[i+1])
	}
	var page Page
	p.Decode("/messages?"+values.Encode(), &page)
	return &page
}

// Message returns one message; ok is false when the api says 404.
func (p *Pipeline) Message(id string) (row Row, ok bool) {
	p.t.Helper()
	path := MessagePath(id)
	res := p.Get(path)
	if res.Status == http.StatusNotFound {
		return Row{}, false
	}
	p.Decode(path, &row)
	return row, true
}

// MessagePath returns the path of one message, with everything encoded that a
// path may hold encoded: "." and "/" in an id must not be taken for the path's.
func MessagePath(id string) string {
	var b strings.Builder
	b.WriteString("/messages/")
	for i := range len(id) {
		fmt.Fprintf(&b, "%%%02X", id[i])
	}
	return b.String()
}

// WaitApplied waits until the database holds everything up to a sequence.
func (p *Pipeline) WaitApplied(seq uint64) {
	p.t.Helper()
	Eventually(p.t, fmt.Sprintf("sequence %d in the database", seq), func() bool {
		res, err := p.Try("GET", "/messages?limit=1", nil)
		if err != nil || res.Status != http.StatusOK {
			return false
		}
		applied, _ := strconv.ParseUint(res.Header.Get("X-Applied-Sequence"), 10, 64)
		return applied >= seq
	})
}
