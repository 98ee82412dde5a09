package httpapi_test

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/httpapi"
	"sluice/pkg/contract"
	"sluice/pkg/message"
)

// hostileTexts begin as a spreadsheet's formulas do, or break a line or a cell.
var hostileTexts = []string{
	"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\x00=1", "＝1", "＋1", "－1", "＠1", "'", "'=1",
	"a,b", `say "x"`, "a\nb", "", " ", "a;=1", "ends in a line\n", "é😀\u2028", "<script>", "\\", `","`,
}

func recordsOf(texts []string) (records []message.Record) {
	for i, text := range texts {
		records = append(records, message.Record{
			Message: message.Message{ID: fmt.Sprintf("m%d", i), From: "+1", To: "+2", TS: "2025-01-15T10:00:00Z", Text: &text},
			Source:  "plain", CreatedAt: acceptedAt,
		})
	}
	records[0].ID, records[1].ID = "=cmd()", "-1"
	return records
}

// inStretches answers with two records a stretch.
func inStretches(records []message.Record, applied uint64) func(message.StretchRequest) (message.Stretch, error) {
	return func(r message.StretchRequest) (message.Stretch, error) {
		at := 0
		if r.After != nil {
			at = int(r.After.At.Unix())
		}
		end := min(at+2, len(records))
		st := message.Stretch{Records: append([]message.Record(nil), records[at:end]...), Applied: applied}
		if end < len(records) {
			st.Next = &message.Position{At: time.Unix(int64(end), 0)}
		}
		return st, nil
	}
}

func TestCSV_givesEveryTextAndNoFormula(t *testing.T) {
	a := start(t)
	records := recordsOf(hostileTexts)
	records = append(records, message.Record{Message: message.Message{ID: "null", From: "+1", To: "+2", TS: "2025-01-15T10:00:00Z"}})
	a.stretch = inStretches(records, 9)
	got := a.get(contract.PathCSV)
	if got.status != 200 || got.header.Get("Content-Type") != contract.TypeCSV || got.header.Get(contract.HeaderAppliedSequence) != "9" ||
		got.header.Get("Content-Disposition") != `attachment; filename="messages.csv"` {
		t.Fatalf("%+v", got)
	}
	rows, err := csv.NewReader(strings.NewReader(got.body)).ReadAll()
	if err != nil || len(rows) != len(records)+1 || strings.Join(rows[0], ",") != "message_id,from,to,ts,text,seq,source,created_at" {
		t.Fatalf("%v %q", err, rows)
	}
	for i, row := range rows[1:] {
		want := records[i]
		text := ""
		if want.Text != nil {
			text = *want.Text
		}
		for column, original := range map[int]string{0: want.ID, 4: text} {
			cell := row[column]
			if strings.TrimPrefix(cell, "'") != original && cell != original {
				t.Errorf("%q became %q", original, cell)
			}
			if cell != "" && strings.Contains("=+-@\t\r\n\x00＝＋－＠", string([]rune(cell)[:1])) {
				t.Errorf("%q is a formula", cell)
			}
			if strings.HasPrefix(original, "'") && cell != "'"+original {
				t.Errorf("%q became %q: taking the apostrophe away must give it back", original, cell)
			}
		}
		if row[1] != "+1" || row[2] != "+2" || row[3] != want.TS {
			t.Errorf("row %q", row)
		}
	}
}

func TestNDJSON_isADetailALine(t *testing.T) {
	a := start(t)
	records := recordsOf(hostileTexts)
	a.stretch = inStretches(records, 9)
	got := a.get(contract.PathNDJSON)
	if got.status != 200 || got.header.Get("Content-Type") != contract.TypeNDJSON {
		t.Fatalf("%+v", got)
	}
	lines := strings.Split(strings.TrimSuffix(got.body, "\n"), "\n")
	if len(lines) != len(records) {
		t.Fatalf("%d lines of %d", len(lines), len(records))
	}
	for i, line := range lines {
		var m contract.MessageDetail
		if err := json.Unmarshal([]byte(line), &m); err != nil || m.ID != records[i].ID || *m.Text != *records[i].Text || m.CreatedAt != "2025-01-15T10:00:01.023000000Z" {
			t.Errorf("line %q: %v", line, err)
		}
	}
}

func TestExport_asksForWhatItWasAsked(t *testing.T) {
	a := start(t)
	var asked message.StretchRequest
	a.stretch = func(r message.StretchRequest) (message.Stretch, error) {
		asked = r
		return message.Stretch{}, nil
	}
	if got := a.get(contract.PathNDJSON + "?from=%2B1&q=x&order=desc"); got.status != 200 || got.body != "" {
		t.Fatalf("%+v", got)
	}
	if asked.From != "+1" || asked.Text != "x" || !asked.Descending {
		t.Errorf("asked for %+v", asked)
	}
	if got := a.do("HEAD", contract.PathCSV, ""); got.status != 200 || got.body != "" {
		t.Errorf("HEAD: %+v", got)
	}
	_, head := a.send("HEAD " + contract.PathCSV + " HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp, err := http.ReadResponse(head, &http.Request{Method: "HEAD"}); err != nil || !resp.Close {
		t.Errorf("the connection goes on behind %+v, %v", resp, err)
	}
	if got := a.get(contract.PathCSV + "?from=x"); got.status != 422 {
		t.Errorf("broken parameter: %+v", got)
	}
	a.stretch = func(message.StretchRequest) (message.Stretch, error) {
		return message.Stretch{}, message.ErrUnavailable
	}
	if got := a.get(contract.PathCSV); got.status != 503 || got.header.Get("Retry-After") == "" || got.header.Get("Content-Disposition") != "" {
		t.Errorf("without a database: %+v", got)
	}
}

// endless never comes to an end, and counts.
func endless(asked *atomic.Int64, failAt int64) func(message.StretchRequest) (message.Stretch, error) {
	records := recordsOf(hostileTexts)
	return func(message.StretchRequest) (message.Stretch, error) {
		if asked.Add(1) == failAt {
			return message.Stretch{}, errors.New("disk I/O error")
		}
		return message.Stretch{Records: append([]message.Record(nil), records...), Next: &message.Position{}, Applied: 9}, nil
	}
}

func TestExport_anErrorInTheMiddleIsSeen(t *testing.T) {
	a := start(t)
	var asked atomic.Int64
	a.stretch = endless(&asked, 3)
	resp, err := http.Get("http://" + a.addr + contract.PathNDJSON)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) || strings.Count(string(body), "\n") != 2*len(hostileTexts) {
		t.Errorf("%d lines, then %v", strings.Count(string(body), "\n"), err)
	}
	eventually(t, func() bool { return strings.Contains(a.log.String(), "export cut off") }, a.log.String)
}

func TestExport_endsWithItsClient(t *testing.T) {
	a := start(t)
	var asked atomic.Int64
	a.stretch = endless(&asked, -1)
	resp, err := http.Get("http://" + a.addr + contract.PathCSV)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	eventually(t, func() bool { return strings.Contains(a.log.String(), "export not taken to its end") }, a.log.String)
}

// A client that does not read is not read for: what is in memory is what the
// connection holds.
func TestExport_waitsForItsClient(t *testing.T) {
	a := start(t)
	var asked atomic.Int64
	a.stretch = endless(&asked, -1)
	c, r := a.send("GET " + contract.PathCSV + " HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := r.Peek(1); err != nil {
		t.Fatal(err)
	}
	steady := int64(0)
	for before := int64(-1); steady < 20; time.Sleep(5 * time.Millisecond) { // until it stands still
		if now := asked.Load(); now == before {
			steady++
		} else {
			before, steady = now, 0
		}
	}
	if n := asked.Load(); n > 50_000 {
		t.Errorf("%d stretches for a client that reads nothing", n)
	}
	c.Close()
	eventually(t, func() bool { return strings.Contains(a.log.String(), "export not taken to its end") }, a.log.String)
}

// The time for an answer is for each piece of an export, not for all of it.
func TestExport_mayTakeLongerThanAnAnswer(t *testing.T) {
	a := start(t, func(cfg *httpapi.Config) { cfg.WriteTimeout = 2 * time.Second })
	var asked atomic.Int64
	records := recordsOf(hostileTexts)
	a.stretch = func(message.StretchRequest) (message.Stretch, error) {
		st := message.Stretch{Records: append([]message.Record(nil), records...), Applied: 9}
		if asked.Add(1) < 6 {
			time.Sleep(time.Second)
			st.Next = &message.Position{}
		}
		return st, nil
	}
	if got := a.get(contract.PathNDJSON); strings.Count(got.body, "\n") != 6*len(records) {
		t.Errorf("%d lines", strings.Count(got.body, "\n"))
	}
}
