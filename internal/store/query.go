package store

import (
	"cmp"
	"context"
	"database/sql/driver"
	"slices"

	"sluice/pkg/message"
)

// row is a record with its place in the order.
type row struct {
	message.Record
	key key
}

func (r *row) position() *message.Position {
	at, id := r.key.parts()
	return &message.Position{At: at.time(), ID: id}
}

// Messages returns one page and the exact number of all matches, both as of one
// moment. The limit is the caller's to choose; a page is in memory as a whole.
func (r *Reader) Messages(ctx context.Context, req message.PageRequest) (page message.Page, err error) {
	err = r.read(ctx, func(s *snapshot) error {
		page, err = s.messages(req)
		return err
	})
	return page, err
}

func (s *snapshot) messages(req message.PageRequest) (message.Page, error) {
	p := planOf(req.Filter)
	v, err := s.ranks(p.run)
	if err != nil {
		return message.Page{}, err
	}
	find := v.page
	if !p.ranked() {
		find = v.searchPage
	}
	rows, total, more, err := find(p, req)
	if err != nil {
		return message.Page{}, err
	}
	page := message.Page{Records: make([]message.Record, len(rows)), Total: total, Applied: s.state.checkpoint.Seq}
	for i := range rows {
		page.Records[i] = rows[i].Record
	}
	if more && len(rows) > 0 {
		page.Next = rows[len(rows)-1].position()
	}
	return page, nil
}

// page finds a page where every row of the span matches, so
// ranks tell which rows those are.
func (v *rankView) page(p plan, req message.PageRequest) (rows []row, total int64, more bool, err error) {
	first, end, err := v.ranksOf(p.span)
	if err != nil {
		return nil, 0, false, err
	}
	total = end - first
	if req.After != nil {
		first, end, err = v.ranksOf(p.span.behind(req.After, req.Descending))
		if err != nil {
			return nil, 0, false, err
		}
	}
	if int64(req.Offset) >= end-first {
		return nil, total, false, nil
	}
	from := first + int64(req.Offset)
	to := min(from+int64(req.Limit), end)
	more = to < end
	if req.Descending {
		to = end - int64(req.Offset)
		from = max(to-int64(req.Limit), first)
		more = from > first
	}
	rows, err = v.slice(from, to)
	if req.Descending {
		slices.Reverse(rows)
	}
	return rows, total, more, err
}

// ranksOf returns the rank of the first row of a span and of the one behind it.
func (v *rankView) ranksOf(s span) (first, end int64, err error) {
	if s.empty() {
		return 0, 0, nil
	}
	if first, err = v.rank(s.lo); err != nil {
		return 0, 0, err
	}
	end, err = v.rank(s.hi)
	return first, end, err
}

// slice returns the rows of the run with ranks from on, before to. It reads the
// buckets that they are in.
func (v *rankView) slice(from, to int64) ([]row, error) {
	head, err := v.at(from)
	if err != nil {
		return nil, err
	}
	tail, err := v.at(to - 1)
	if err != nil {
		return nil, err
	}
	return v.s.rows(v.run, span{head.lo, tail.hi}, to-from, from-head.before)
}

// rows returns rows of a run inside a span in order: at most limit of them after
// skipping some. A negative limit is none.
func (s *snapshot) rows(r run, in span, limit, skip int64) (rows []row, err error) {
	err = s.query(r.order.rowsSQL, func(values []driver.Value) error {
		rows = append(rows, row{recordOf(values), keyOf(values)})
		return nil
	}, r.args(in, limit, skip)...)
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.key, b.key) })
	return rows, err
}

// checkedPage finds a page by looking at every row of the span, bucket by bucket.
func (v *rankView) checkedPage(p plan, req message.PageRequest) (page []row, total int64, more bool, err error) {
	behind, skip := p.span.behind(req.After, req.Descending), req.Offset
	err = v.walk(p.span, req.Descending, func(r row) {
		if !p.matches(&r) {
			return
		}
		total++
		switch {
		case r.key < behind.lo || r.key >= behind.hi:
		case skip > 0:
			skip--
		case len(page) < req.Limit:
			page = append(page, r)
		default:
			more = true
		}
	})
	return page, total, more, err
}

// walk calls f for every row of the run inside a span, in order.
func (v *rankView) walk(in span, descending bool, f func(row)) error {
	if in.empty() {
		return nil
	}
	buckets, err := v.buckets(in)
	if err != nil {
		return err
	}
	if descending {
		slices.Reverse(buckets)
	}
	for _, b := range buckets {
		if err := v.s.ctx.Err(); err != nil {
			return err
		}
		rows, err := v.s.rows(v.run, b, -1, 0)
		if err != nil {
			return err
		}
		if descending {
			slices.Reverse(rows)
		}
		for _, r := range rows {
			f(r)
		}
	}
	return nil
}

// buckets returns the buckets that a span lies in, cut to it, in order.
func (v *rankView) buckets(in span) ([]span, error) {
	var spans []span
	for g := range v.groups {
		if g+1 < len(v.groups) && v.groups[g+1].low <= in.lo || v.groups[g].low >= in.hi {
			continue
		}
		if err := v.decode(g); err != nil {
			return nil, err
		}
		for i := range v.groups[g].bounds {
			b := v.bucket(g, i)
			if cut := (span{max(b.lo, in.lo), min(b.hi, in.hi)}); b.rows > 0 && !cut.empty() {
				spans = append(spans, cut)
			}
		}
	}
	return spans, nil
}

// Message returns one message with all that is known of it and the checkpoint's
// sequence, or message.ErrNotFound.
func (r *Reader) Message(ctx context.Context, id string) (m message.Detail, applied uint64, err error) {
	err = r.read(ctx, func(s *snapshot) error {
		applied = s.state.checkpoint.Seq
		row, err := s.byID(id)
		if err != nil {
			return err
		}
		if row == nil {
			return message.ErrNotFound
		}
		m.Record = recordOf(row)
		m.Raw = rawOf(row[len(row)-1])
		m.Statuses, err = s.statusesOf(m.Source, m.ID)
		return err
	})
	return m, applied, err
}

// byID returns recordColumns and the raw of the row with an id, nil when there is none.
func (s *snapshot) byID(id string) (row []driver.Value, err error) {
	segs, err := s.ids.perhaps(s, id)
	for i := 0; i < len(segs) && row == nil && err == nil; i++ {
		row, err = s.one(`SELECT `+recordColumns+`, (SELECT raw FROM raws WHERE raws.rid = r.rid)
			FROM messages r INDEXED BY messages_id WHERE r.seg = ? AND r.message_id = ?`, segs[i], id)
	}
	return row, err
}

// Stats counts what the database holds.
func (r *Reader) Stats(ctx context.Context) (st message.Stats, err error) {
	err = r.read(ctx, func(s *snapshot) error {
		st = message.Stats{Messages: s.state.messages, Senders: s.state.senders, Applied: s.state.checkpoint.Seq}
		var top topSenders
		if err := top.load(s.conn); err != nil {
			return err
		}
		st.Top = top.list
		st.FirstTS, st.LastTS, err = s.ends()
		return err
	})
	return st, err
}

// ends returns the ts of the first and the last message.
func (s *snapshot) ends() (first, last *string, err error) {
	v, err := s.ranks(allRows)
	if err != nil || v.total == 0 {
		return nil, nil, err
	}
	head, err := v.slice(0, 1)
	if err != nil {
		return nil, nil, err
	}
	tail, err := v.slice(v.total-1, v.total)
	if err != nil {
		return nil, nil, err
	}
	return &head[0].TS, &tail[0].TS, nil
}

// Status tells what an operator asks of the database.
func (r *Reader) Status(ctx context.Context) (st message.StoreStatus, err error) {
	err = r.read(ctx, func(s *snapshot) error {
		st, err = statusOf(s.conn, r.path)
		return err
	})
	return st, err
}

// Applied returns the checkpoint's sequence.
func (r *Reader) Applied(ctx context.Context) (seq uint64, err error) {
	err = r.read(ctx, func(s *snapshot) error {
		seq = s.state.checkpoint.Seq
		return nil
	})
	return seq, err
}
