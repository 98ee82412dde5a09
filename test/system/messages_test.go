package system

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/pkg/message"
	"sluice/test/harness"
	"sluice/test/load"
)

// inOrder sorts messages as the contract does: by instant, then by the id's bytes.
func inOrder(all []message.Message) []message.Message {
	return slices.SortedFunc(slices.Values(all), func(a, b message.Message) int {
		return cmp.Or(a.Instant().Compare(b.Instant()), strings.Compare(a.ID, b.ID))
	})
}

func idsOf(all []message.Message) []string {
	ids := []string{}
	for _, m := range all {
		ids = append(ids, m.ID)
	}
	return ids
}

func TestMessages_orderIsByInstantThenID(t *testing.T) {
	t.Parallel()
	p := start(t)
	var all []message.Message
	for i, ts := range []string{
		"2025-01-15T10:00:00.5Z", "2025-01-15T10:00:00Z", "2025-01-15T10:00:00.50Z", "2025-01-15T10:00:00.500000000Z",
		"2025-01-15T10:00:00.000000001Z", "2025-01-15T09:59:59.999999999Z", "2025-01-15T10:00:00.000Z",
		"2025-01-15T10:00:00.499999999Z", "2025-01-15T10:00:01Z", "1969-12-31T23:59:59.9Z", "1970-01-01T00:00:00Z",
		"0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2025-01-15T10:00:00.5Z", "2024-02-29T00:00:00Z",
	} {
		m := hello([]string{"b", "B", "é", "a", "zz", "a b", "\x01", "10", "9"}[i%9] + fmt.Sprint(i/9))
		m.TS = ts
		all = append(all, m)
	}
	p.Post(all...)

	want := idsOf(inOrder(all))
	if got := p.Messages("limit", "100").IDs(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	slices.Reverse(want)
	if got := p.Messages("limit", "100", "order", "desc").IDs(); !slices.Equal(got, want) {
		t.Errorf("descending: got  %q\nwant %q", got, want)
	}
}

func TestMessages_pagesTogetherAreEverything(t *testing.T) {
	t.Parallel()
	p := start(t)
	var all []message.Message
	payload := load.Payload{Senders: 3, Spread: 20 * time.Second}.WithDefaults()
	for n := range uint64(120) {
		m := payload.Message(n)
		if n%3 == 0 {
			m.TS = "2025-01-15T10:00:05Z" // many at one instant
		}
		all = append(all, m)
	}
	p.Post(all...)

	for _, order := range []string{"asc", "desc"} {
		want := idsOf(inOrder(all))
		if order == "desc" {
			slices.Reverse(want)
		}
		for _, limit := range []int{1, 7, 40, 100} {
			var byOffset, byCursor []string
			for offset := 0; offset <= len(all); offset += limit {
				page := p.Messages("order", order, "limit", strconv.Itoa(limit), "offset", strconv.Itoa(offset))
				if page.Total != len(all) || page.Limit != limit || page.Offset != offset {
					t.Fatalf("the page says %d, %d, %d", page.Total, page.Limit, page.Offset)
				}
				byOffset = append(byOffset, page.IDs()...)
			}
			page := p.Messages("order", order, "limit", strconv.Itoa(limit))
			for {
				if page.Total != len(all) {
					t.Fatalf("a page by cursor counts %d", page.Total)
				}
				byCursor = append(byCursor, page.IDs()...)
				if page.NextCursor == nil {
					break
				}
				page = p.Messages("limit", strconv.Itoa(limit), "cursor", *page.NextCursor)
				if len(page.Data) == 0 {
					t.Fatal("next_cursor led to an empty page")
				}
			}
			if !slices.Equal(byOffset, want) {
				t.Errorf("%s, %d a page, by offset: got %q", order, limit, byOffset)
			}
			if !slices.Equal(byCursor, want) {
				t.Errorf("%s, %d a page, by cursor: got %q", order, limit, byCursor)
			}
		}
	}
}

// TestMessages_aCursorStaysInPlace: rows that come in before the place change
// neither what follows nor repeat anything.
func TestMessages_aCursorStaysInPlace(t *testing.T) {
	t.Parallel()
	p := start(t)
	all := numbered("m", 20)
	p.Post(all...)
	page := p.Messages("limit", "10")
	early := hello("early")
	early.TS = "2000-01-01T00:00:00Z"
	p.Post(early)

	next := p.Messages("limit", "10", "cursor", *page.NextCursor)
	if !slices.Equal(next.IDs(), idsOf(all[10:])) || next.Total != 21 || next.NextCursor != nil {
		t.Errorf("the second page is %q of %d", next.IDs(), next.Total)
	}
}

// TestMessages_filters compares random filters with the same done by hand.
func TestMessages_filters(t *testing.T) {
	t.Parallel()
	p := start(t)
	payload := load.Payload{Senders: 4, Spread: 10 * time.Second}.WithDefaults()
	var all []message.Message
	for n := range uint64(250) {
		all = append(all, payload.Message(n))
	}
	p.Post(all...)
	all = inOrder(all)

	rng := rand.New(rand.NewPCG(1, 2))
	some := func() message.Message { return all[rng.IntN(len(all))] }
	for range 150 {
		query := url.Values{"limit": {"100"}}
		keep := []func(message.Message) bool{}
		if rng.IntN(3) == 0 {
			from := some().From
			query.Set("from", from)
			keep = append(keep, func(m message.Message) bool { return m.From == from })
		}
		if rng.IntN(4) == 0 {
			to := some().To
			query.Set("to", to)
			keep = append(keep, func(m message.Message) bool { return m.To == to })
		}
		if rng.IntN(3) == 0 {
			since := some()
			query.Set("since", since.TS)
			keep = append(keep, func(m message.Message) bool { return !m.Instant().Before(since.Instant()) })
		}
		if rng.IntN(3) == 0 {
			until := some()
			query.Set("until", until.TS)
			keep = append(keep, func(m message.Message) bool { return m.Instant().Before(until.Instant()) })
		}
		if rng.IntN(2) == 0 {
			q := []string{"GRÜ", "привет", "ПРИВЕТ", "%", "_", "100% ", "r_s", "e\\e", "\"QUOTED", "4711", "🎉", "o", "パッ", "nowhere", "e p", "Ü", "l"}[rng.IntN(17)]
			query.Set("q", q)
			keep = append(keep, func(m message.Message) bool {
				return m.Text != nil && strings.Contains(strings.ToLower(*m.Text), strings.ToLower(q))
			})
		}
		want := slices.DeleteFunc(slices.Clone(all), func(m message.Message) bool {
			return slices.ContainsFunc(keep, func(f func(message.Message) bool) bool { return !f(m) })
		})
		var page harness.Page
		p.Decode("/messages?"+query.Encode(), &page)
		if page.Total != len(want) || !slices.Equal(page.IDs(), idsOf(want[:min(len(want), 100)])) {
			t.Errorf("%s: %d of %d rows, want %d", query.Encode(), len(page.Data), page.Total, len(want))
		}
	}
}

func TestMessages_filterDetails(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.Post(numbered("m", 5)...)
	tests := []struct {
		query string
		total int
	}{
		{"", 5},
		{"from=%2B919876543210", 5},
		{"from=+919876543210", 5}, // a plus that nobody encoded arrives as a blank
		{"from=%2B91987654321", 0},
		{"to=+14155550100", 5},
		{"since=2025-01-15T00:00:02Z", 3},
		{"since=2025-01-15T00:00:02.000000001Z", 2},
		{"until=2025-01-15T00:00:02Z", 2},
		{"since=2025-01-15T00:00:02Z&until=2025-01-15T00:00:02Z", 0},
		{"since=2025-01-15T00:00:03Z&until=2025-01-15T00:00:02Z", 0},
		{"q=HELLO", 5},
		{"q=ell", 5},
		{"q=", 5},
		{"q=hell_", 0},
		{"q=%25", 0},
		{"offset=4", 5},
		{"offset=1000000", 5},
		{"unknown=1", 5},
	}
	for _, test := range tests {
		var page harness.Page
		p.Decode("/messages?"+test.query, &page)
		if page.Total != test.total {
			t.Errorf("?%s counts %d, want %d", test.query, page.Total, test.total)
		}
	}
}

func TestMessages_badParameters(t *testing.T) {
	t.Parallel()
	p := start(t)
	p.Post(hello("one"))
	for query, fields := range map[string][]string{
		"limit=0":                     {"limit"},
		"limit=101":                   {"limit"},
		"limit=-1":                    {"limit"},
		"limit=1.5":                   {"limit"},
		"limit=ten":                   {"limit"},
		"limit=99999999999999999999":  {"limit"},
		"offset=-1":                   {"offset"},
		"offset=x":                    {"offset"},
		"from=919876543210":           {"from"},
		"from=%2B":                    {"from"},
		"to=someone":                  {"to"},
		"since=yesterday":             {"since"},
		"since=2025-01-15":            {"since"},
		"until=2025-02-30T00:00:00Z":  {"until"},
		"order=up":                    {"order"},
		"cursor=x":                    {"cursor"},
		"cursor=AAAAAAAAAAAAAAAAAAAA": {"cursor"},
		"q=%FF":                       {"q"},
		"after=-1":                    {"after"},
		"limit=0&offset=-1&from=x&since=x&order=x": {"limit", "offset", "from", "since", "order"},
	} {
		got := brokenFields(t, p.Get("/messages?"+query), "query")
		slices.Sort(got)
		slices.Sort(fields)
		if !slices.Equal(got, fields) {
			t.Errorf("?%s lists %q, want %q", query, got, fields)
		}
	}
}
