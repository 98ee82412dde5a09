package system

import (
	"fmt"
	"testing"

	"sluice/pkg/message"
)

func TestStats_empty(t *testing.T) {
	t.Parallel()
	p := start(t)
	const want = `{"total_messages":0,"senders_count":0,"messages_per_sender":[],"first_message_ts":null,"last_message_ts":null}`
	if res := p.Get("/stats"); res.Status != 200 || string(res.Body) != want {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	const page = `{"data":[],"total":0,"limit":50,"offset":0,"next_cursor":null}`
	if res := p.Get("/messages"); res.Status != 200 || string(res.Body) != page {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

func TestStats(t *testing.T) {
	t.Parallel()
	p := start(t)
	// Sender +i has i messages, but +3 and +31 have three each.
	var all []message.Message
	add := func(from string, n int) {
		for i := range n {
			m := hello(fmt.Sprint(from, " ", i))
			m.From = from
			m.TS = fmt.Sprintf("2025-01-15T10:00:00.%09dZ", len(all)+1)
			all = append(all, m)
		}
	}
	for i := 1; i <= 12; i++ {
		add(fmt.Sprint("+", i), i)
	}
	add("+31", 3)
	first, last := hello("first"), hello("last")
	first.TS, last.TS = "2025-01-15T10:00:00.00Z", "2025-01-15T10:00:00.9Z"
	first.From, last.From = "+12", "+12"
	all = append(all, last, first)
	p.Post(all...)
	p.Post(all[0], all[1]) // repeats count for nothing

	const want = `{"total_messages":83,"senders_count":13,"messages_per_sender":[` +
		`{"from":"+12","count":14},{"from":"+11","count":11},{"from":"+10","count":10},{"from":"+9","count":9},{"from":"+8","count":8},` +
		`{"from":"+7","count":7},{"from":"+6","count":6},{"from":"+5","count":5},{"from":"+4","count":4},{"from":"+3","count":3}],` +
		`"first_message_ts":"2025-01-15T10:00:00.00Z","last_message_ts":"2025-01-15T10:00:00.9Z"}`
	if res := p.Get("/stats"); string(res.Body) != want {
		t.Errorf("got  %s\nwant %s", res.Body, want)
	}
}
