package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"sluice/test/harness"
	"sluice/test/load"
)

// query is one kind of question. Its path is another one each time; total is what
// the answer must say when the database holds n messages, nil where that is not
// known beforehand.
type query struct {
	name  string
	path  func(*asker) string
	total func(n uint64) uint64
	p99   time.Duration // what it may take, 0 for no mark
}

const (
	quick    = 10 * time.Millisecond
	bySender = 20 * time.Millisecond
	common   = 50 * time.Millisecond
)

var all = func(n uint64) uint64 { return n }

var queries = []query{
	{"first page", fixed("/messages"), all, quick},
	{"newest page", fixed("/messages?order=desc"), all, quick},
	{"since", func(a *asker) string { return "/messages?since=" + a.instant() }, nil, quick},
	{"since and until", func(a *asker) string { return "/messages?since=" + a.instant() + "&until=" + a.instant() }, nil, quick},
	{"cursor", func(a *asker) string { return "/messages?cursor=" + a.cursor() }, all, quick},
	{"any offset", func(a *asker) string { return "/messages?offset=" + a.number() }, all, quick},
	{"one message", func(a *asker) string { return harness.MessagePath(randomTraffic.message(a.some()).ID) }, nil, quick},
	{"/stats", fixed("/stats"), nil, quick},
	{"from, some rows", func(a *asker) string {
		return "/messages?from=" + url.QueryEscape(randomTraffic.message(a.some()).From)
	}, nil, bySender},
	{"from, a tenth of the rows", fixed("/messages?from=" + url.QueryEscape(heavySender)), share(heavyEvery), bySender},
	{"from, a tenth of the rows, any offset", func(a *asker) string {
		return fmt.Sprintf("/messages?from=%s&offset=%d", url.QueryEscape(heavySender), a.some()/heavyEvery)
	}, share(heavyEvery), bySender},
	{"q, one row", func(a *asker) string { return "/messages?q=" + fmt.Sprintf(rareTerm, a.some()) }, func(uint64) uint64 { return 1 }, quick},
	{"q, 1 % of the rows", fixed("/messages?q=" + someTerm), share(someEvery), common},
	{"q, half of the rows", fixed("/messages?q=" + halfTerm), share(halfEvery), 0},
	{"q, half of the rows, any offset", func(a *asker) string {
		return fmt.Sprintf("/messages?q=%s&offset=%d", halfTerm, a.some()/halfEvery)
	}, share(halfEvery), 0},
	{"q and since", func(a *asker) string { return "/messages?q=" + someTerm + "&since=" + a.instant() }, nil, common},
}

func fixed(path string) func(*asker) string { return func(*asker) string { return path } }

func share(every uint64) func(uint64) uint64 {
	return func(n uint64) uint64 { return among(n, every) }
}

// latency of one kind of query.
type latency struct{ p50, p99 time.Duration }

// trickleRate is how many messages a second come in while a table is asked.
const trickleRate = 1000

// measureQueries asks a table over HTTP while a writer adds to it, first when it
// has a tenth of its rows.
func measureQueries(t testing.TB, s sizes) *report {
	p := harness.New(t, harness.Options{API: unrepeated})
	startAPI(p)
	f := newFiller(t, p, randomTraffic)
	a := &asker{t: t, p: p}

	f.fill(t.Context(), s.rows/10)
	p.Writer.StartReady()
	young, _ := a.askAll(f, s)
	f.fill(t.Context(), s.rows-f.next)
	grown, behind := a.askAll(f, s)
	seen := a.ownWrites(s.queries)

	r := &report{Mode: fmt.Sprintf("%d rows, warm, %d messages a second coming in, one connection; totals are checked where they are known. "+
		"The search index was complete %v after the last row of the burst.", s.rows, trickleRate, behind.Round(100*time.Millisecond))}
	times := table{Title: "Latency over HTTP: a page of 50 with its exact total",
		Head: []string{"query", "p50", "p99", "mark for p99", "p50 with a tenth of the rows"}}
	bars := plot{Name: "query", Title: "p99 in milliseconds", Bars: true, Series: []series{{Name: "p99"}}}
	for i, q := range queries {
		mark := ""
		if q.p99 > 0 {
			mark = milliseconds(q.p99)
		}
		times.add(q.name, milliseconds(grown[i].p50), milliseconds(grown[i].p99), mark, milliseconds(young[i].p50))
		bars.Categories = append(bars.Categories, q.name)
		bars.Series[0].Values = append(bars.Series[0].Values, float64(grown[i].p99.Microseconds())/1000)
	}
	r.Ratios = []ratio{{"p50 with a tenth of the rows / with all, mean of the queries", growth(young, grown), 0.5}}
	times.add("POST, then GET that has it", milliseconds(median(seen)), milliseconds(quantile(seen, 0.99)), "", "")
	r.Tables, r.Plots = []table{times}, []plot{bars}
	return r
}

// growth returns the geometric mean of what the medians of a young table are to
// those of the grown one: 1 when nothing grows with the table.
func growth(young, grown []latency) float64 {
	sum := 0.0
	for i := range young {
		sum += math.Log(float64(young[i].p50) / float64(grown[i].p50))
	}
	return math.Exp(sum / float64(len(young)))
}

// askAll waits until the writer has everything, then asks every query while more
// comes in. behind is how much longer the search index took than the rows.
func (a *asker) askAll(f *filler, s sizes) (found []latency, behind time.Duration) {
	a.t.Helper()
	a.rows = f.next
	follow(a.t, a.p, a.rows)
	behind = took(func() { waitForIndex(a.t, a.p) })

	ctx, stop := context.WithCancel(a.t.Context())
	var trickle sync.WaitGroup
	trickle.Go(func() { f.trickle(ctx, trickleRate) })
	defer trickle.Wait()
	defer stop()
	for _, q := range queries {
		took := a.measure(q, s.queries)
		l := latency{median(took), quantile(took, 0.99)}
		a.t.Logf("%d rows, %s: p50 %v, p99 %v", a.rows, q.name, l.p50, l.p99)
		found = append(found, l)
	}
	return found, behind
}

// waitForIndex waits until the search index has all but an unfinished block.
func waitForIndex(t testing.TB, p *harness.Pipeline) {
	t.Helper()
	const block = 1 << 16
	db := p.Open()
	defer db.Close()
	for {
		var behind int
		err := db.QueryRowContext(t.Context(), `SELECT next_rid - (SELECT coalesce(max(end_rid), 1) FROM search_blocks) FROM state`).Scan(&behind)
		if err != nil {
			t.Fatal(err)
		}
		if behind <= block {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// asker asks an api for what it must have.
type asker struct {
	t    testing.TB
	p    *harness.Pipeline
	rows uint64
}

func (a *asker) some() uint64   { return rand.Uint64N(a.rows) }
func (a *asker) number() string { return strconv.FormatUint(a.some(), 10) }
func (a *asker) instant() string {
	return randomTraffic.at(a.some()).Format(time.RFC3339Nano)
}

// cursor is where some page ends.
func (a *asker) cursor() string {
	page := a.p.Messages("offset", strconv.FormatUint(a.some()/2, 10), "limit", "1")
	if page.NextCursor == nil {
		a.t.Fatal("a page in the middle is the last")
	}
	return url.QueryEscape(*page.NextCursor)
}

// measure asks n times, after a few times that do not count.
func (a *asker) measure(q query, n int) []time.Duration {
	a.t.Helper()
	const warmUp = 20
	var took []time.Duration
	for i := range n + warmUp {
		path := q.path(a)
		start := time.Now()
		res := a.p.Get(path)
		d := time.Since(start)
		if res.Status != http.StatusOK {
			a.t.Fatalf("GET %s: %d %s", path, res.Status, res.Body)
		}
		if q.total != nil {
			a.check(q, path, res)
		}
		if i >= warmUp {
			took = append(took, d)
		}
	}
	return took
}

// check compares an answer's total with what it must be at that moment.
func (a *asker) check(q query, path string, res *harness.Response) {
	a.t.Helper()
	n, err := strconv.ParseUint(res.Header.Get("X-Applied-Sequence"), 10, 64)
	if err != nil {
		a.t.Fatalf("GET %s: X-Applied-Sequence: %v", path, err)
	}
	var page struct {
		Total uint64 `json:"total"`
	}
	if err := json.Unmarshal(res.Body, &page); err != nil {
		a.t.Fatalf("GET %s: %v", path, err)
	}
	if want := q.total(n); page.Total != want {
		a.t.Fatalf("GET %s: total %d with %d messages in the database, want %d", path, page.Total, n, want)
	}
}

// ownWrites measures how long it takes from a POST until a GET, sent at its
// answer, is answered with the message.
func (a *asker) ownWrites(n int) (took []time.Duration) {
	a.t.Helper()
	payload := load.Payload{Seed: 1}.WithDefaults()
	for i := range n {
		m := payload.Message(uint64(i))
		start := time.Now()
		a.p.Post(m)
		res := a.p.Get(harness.MessagePath(m.ID))
		took = append(took, time.Since(start))
		if res.Status != http.StatusOK {
			a.t.Fatalf("GET of a message just posted: %d %s", res.Status, res.Body)
		}
	}
	return took
}
