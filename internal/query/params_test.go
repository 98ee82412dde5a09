package query

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sluice/pkg/message"
)

var someTime = time.Date(2025, 1, 15, 10, 0, 0, 120_000_000, time.UTC)

func TestParseMessages_understands(t *testing.T) {
	base := func(change func(*MessagesQuery)) MessagesQuery {
		q := MessagesQuery{Page: message.PageRequest{Limit: 50}}
		change(&q)
		return q
	}
	after := message.Position{At: someTime, ID: "m1"}
	for raw, want := range map[string]MessagesQuery{
		"":                        base(func(q *MessagesQuery) {}),
		"&&":                      base(func(q *MessagesQuery) {}),
		"limit=1":                 base(func(q *MessagesQuery) { q.Page.Limit = 1 }),
		"limit=100&offset=0":      base(func(q *MessagesQuery) { q.Page.Limit = 100 }),
		"limit=007":               base(func(q *MessagesQuery) { q.Page.Limit = 7 }),
		"offset=9007199254740991": base(func(q *MessagesQuery) { q.Page.Offset = 1<<53 - 1 }),
		"from=%2B919876543210":    base(func(q *MessagesQuery) { q.Page.From = "+919876543210" }),
		"from=+919876543210":      base(func(q *MessagesQuery) { q.Page.From = "+919876543210" }),
		"to=%20123":               base(func(q *MessagesQuery) { q.Page.To = "+123" }),
		"since=2025-01-15T10:00:00.12Z&until=2025-01-15T10%3A00%3A00.120Z": base(func(q *MessagesQuery) { q.Page.Since, q.Page.Until = &someTime, &someTime }),
		"q=100%25+_%2B+%C3%A9;a":                base(func(q *MessagesQuery) { q.Page.Text = "100% _+ é;a" }),
		"q=":                                    base(func(q *MessagesQuery) {}),
		"q":                                     base(func(q *MessagesQuery) {}),
		"q=a=b":                                 base(func(q *MessagesQuery) { q.Page.Text = "a=b" }),
		"%71=a":                                 base(func(q *MessagesQuery) { q.Page.Text = "a" }),
		"order=asc":                             base(func(q *MessagesQuery) {}),
		"order=desc":                            base(func(q *MessagesQuery) { q.Page.Descending = true }),
		"after=18446744073709551615":            base(func(q *MessagesQuery) { q.AfterSeq = math.MaxUint64 }),
		"Limit=0&LIMIT=x&%zz=1&foo=%zz&foo=%ff": base(func(q *MessagesQuery) {}),
		"cursor=" + Cursor(after, false):        base(func(q *MessagesQuery) { q.Page.After = &after }),
		"cursor=" + Cursor(after, true):         base(func(q *MessagesQuery) { q.Page.After, q.Page.Descending = &after, true }),
		"order=desc&offset=0&cursor=" + Cursor(after, true): base(func(q *MessagesQuery) { q.Page.After, q.Page.Descending = &after, true }),
	} {
		got, err := ParseMessages(raw)
		if err != nil || show(got) != show(want) {
			t.Errorf("%s:\n got %s, %v\nwant %s", raw, show(got), err, show(want))
		}
	}
}

// show writes a query with what its pointers point to.
func show(q MessagesQuery) string {
	p := q.Page
	return fmt.Sprintf("%q %q %v %v %q %v %d %d %v %d", p.From, p.To, instant(p.Since), instant(p.Until), p.Text, p.Descending, p.Limit, p.Offset, p.After, q.AfterSeq)
}

func instant(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.RFC3339Nano)
}

func TestParseMessages_refuses(t *testing.T) {
	ascCursor := Cursor(message.Position{At: someTime, ID: "m1"}, false)
	for raw, want := range map[string]string{
		"limit=0":                               "limit:out_of_range",
		"limit=101":                             "limit:out_of_range",
		"limit=99999999999999999999999":         "limit:out_of_range",
		"limit=":                                "limit:int_parsing",
		"limit":                                 "limit:int_parsing",
		"limit=-1":                              "limit:int_parsing",
		"limit=+5":                              "limit:int_parsing",
		"limit=5.0":                             "limit:int_parsing",
		"limit=1e1":                             "limit:int_parsing",
		"limit=0x10":                            "limit:int_parsing",
		"limit=%D9%A5":                          "limit:int_parsing",
		"limit=5&limit=5":                       "limit:repeated_member",
		"limit=5&limit=x&limit=%zz":             "limit:repeated_member",
		"limit=5&%6cimit=5":                     "limit:repeated_member",
		"offset=-1":                             "offset:int_parsing",
		"offset=9007199254740992":               "offset:out_of_range",
		"offset=9223372036854775808":            "offset:out_of_range",
		"after=-1":                              "after:int_parsing",
		"after=18446744073709551616":            "after:out_of_range",
		"from=":                                 "from:string_pattern_mismatch",
		"from=919876543210":                     "from:string_pattern_mismatch",
		"from=++1":                              "from:string_pattern_mismatch",
		"from=%2B1%0A":                          "from:string_pattern_mismatch",
		"from=%2B1%00":                          "from:string_pattern_mismatch",
		"to=%zz":                                "to:string_unicode",
		"q=%ff":                                 "q:string_unicode",
		"q=%ed%a0%80":                           "q:string_unicode",
		"q=%":                                   "q:string_unicode",
		"q=" + strings.Repeat("a", 4097):        "q:string_too_long",
		"since=":                                "since:datetime_parsing",
		"since=yesterday":                       "since:datetime_parsing",
		"since=2025-01-15T10:00:00":             "since:datetime_parsing",
		"since=2025-02-30T10:00:00Z":            "since:datetime_parsing",
		"until=2025-01-15T10:00:00%2B00:00":     "until:datetime_parsing",
		"order=":                                "order:literal_error",
		"order=ASC":                             "order:literal_error",
		"cursor=":                               "cursor:cursor_invalid",
		"cursor=garbage":                        "cursor:cursor_invalid",
		"order=desc&cursor=" + ascCursor:        "cursor:cursor_invalid",
		"offset=1&cursor=" + ascCursor:          "cursor:mutually_exclusive",
		"limit=0&offset=x&from=&q=%ff&order=up": "q:string_unicode from:string_pattern_mismatch limit:out_of_range offset:int_parsing order:literal_error",
	} {
		_, err := ParseMessages(raw)
		var errs message.InvalidErrors
		if !errors.As(err, &errs) {
			t.Errorf("%.60s: %v", raw, err)
			continue
		}
		var got []string
		for _, e := range errs {
			got = append(got, e.Field+":"+e.Code)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%.60s:\n got %s\nwant %s", raw, strings.Join(got, " "), want)
		}
	}
}

func TestParseAfter(t *testing.T) {
	for raw, want := range map[string]uint64{"": 0, "after=12": 12, "limit=x&after=0": 0} {
		if got, err := ParseAfter(raw); err != nil || got != want {
			t.Errorf("%s: %d, %v", raw, got, err)
		}
	}
	for _, raw := range []string{"after=", "after=x", "after=1&after=1", "after=-1"} {
		if _, err := ParseAfter(raw); err == nil {
			t.Errorf("%s was accepted", raw)
		}
	}
}

// FuzzParseMessages: whatever is accepted keeps the bounds that a Reader relies
// on, and means the same when a URL library writes it anew.
func FuzzParseMessages(f *testing.F) {
	f.Add("limit=5&offset=3&from=+123&q=%C3%A9&order=desc")
	f.Add("cursor=" + Cursor(message.Position{At: someTime, ID: "m1"}, true))
	f.Add("since=2025-01-15T10:00:00Z&until=2025-01-15T10:00:00.5Z&after=7")
	f.Add("limit=5;limit=6&%zz")
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := ParseMessages(raw)
		if err != nil {
			var errs message.InvalidErrors
			if !errors.As(err, &errs) || len(errs) == 0 {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		p := got.Page
		if p.Limit < 1 || p.Limit > 100 || p.Offset < 0 || !utf8.ValidString(p.Text) ||
			p.From != "" && !message.ValidMSISDN(p.From) || p.To != "" && !message.ValidMSISDN(p.To) ||
			p.After != nil && (p.Offset != 0 || p.After.ID == "" || !utf8.ValidString(p.After.ID)) {
			t.Fatalf("%q: %s", raw, show(got))
		}
		values, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		if again, err := ParseMessages(values.Encode()); err != nil || show(again) != show(got) {
			t.Fatalf("%q: %s, and as %q: %s, %v", raw, show(got), values.Encode(), show(again), err)
		}
	})
}
