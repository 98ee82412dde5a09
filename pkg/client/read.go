package client

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice/pkg/contract"
	"sluice/pkg/message"
)

// Query selects messages and their order.
type Query struct {
	message.Filter
	Descending bool   // newest first
	PageSize   int    // messages in one answer, 1 to 100. 0 = 100
	After      uint64 // wait for this sequence too, beside what this Client sent
}

// Messages gives every message that the query selects, page after page, each exactly
// once; a message that arrives meanwhile is given when its place is still to come. An
// error ends it.
func (c *Client) Messages(ctx context.Context, q Query) iter.Seq2[contract.Message, error] {
	return func(yield func(contract.Message, error) bool) {
		for cursor := ""; ; {
			page, err := c.Page(ctx, q, cursor)
			if err != nil {
				yield(contract.Message{}, err)
				return
			}
			for _, m := range page.Data {
				if !yield(m, nil) {
					return
				}
			}
			if page.NextCursor == nil {
				return
			}
			cursor = *page.NextCursor
		}
	}
}

// Page returns one page, and the exact number of all messages that the query selects.
// cursor is the NextCursor of the page before, empty for the first.
func (c *Client) Page(ctx context.Context, q Query, cursor string) (page contract.MessagePage, err error) {
	values := filterValues(q.Filter)
	size := q.PageSize
	if size == 0 {
		size = 100
	}
	values.Set("limit", strconv.Itoa(size))
	if q.Descending {
		values.Set("order", "desc")
	}
	if cursor != "" {
		values.Set("cursor", cursor)
	}
	c.setAfter(values, q.After)
	return page, c.get(ctx, contract.PathMessages, values, &page)
}

// Message returns one message. ErrNotFound means that there is none.
func (c *Client) Message(ctx context.Context, id string) (m contract.FullMessage, err error) {
	values := url.Values{}
	c.setAfter(values, 0)
	return m, c.get(ctx, contract.PathMessages+"/"+escape(id), values, &m)
}

// Stats returns totals, top senders, first and last.
func (c *Client) Stats(ctx context.Context) (s contract.Stats, err error) {
	values := url.Values{}
	c.setAfter(values, 0)
	return s, c.get(ctx, contract.PathStats, values, &s)
}

// Pipeline returns how far stream, writers and database are.
func (c *Client) Pipeline(ctx context.Context) (p contract.Pipeline, err error) {
	return p, c.get(ctx, contract.PathPipeline, nil, &p)
}

// setAfter has a read wait for what this Client sent.
func (c *Client) setAfter(values url.Values, after uint64) {
	if after = max(after, c.sent.Load()); after > 0 {
		values.Set("after", strconv.FormatUint(after, 10))
	}
}

func filterValues(f message.Filter) url.Values {
	values := url.Values{}
	for name, value := range map[string]string{"from": f.From, "to": f.To, "q": f.Text} {
		if value != "" {
			values.Set(name, value)
		}
	}
	for name, at := range map[string]*time.Time{"since": f.Since, "until": f.Until} {
		if at != nil {
			values.Set(name, contract.Instant(*at))
		}
	}
	return values
}

// escape encodes every byte of an id that could mean something in a path, dots
// included: proxies resolve them.
func escape(id string) string {
	var b strings.Builder
	for i := range len(id) {
		switch c := id[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c == '_':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
