package rebuild

import (
	"context"
	"fmt"
	"testing"
	"time"

	"sluice/pkg/message"
)

// trimmedMeanwhile is a stream of entries 1 to last whose beginning is trimmed
// while it is read.
type trimmedMeanwhile struct{ first, last uint64 }

func (s trimmedMeanwhile) Replay(_ context.Context, from, to uint64, f func(message.Entry) error) error {
	for seq := max(from, s.first); seq <= min(to, s.last); seq++ {
		if err := f(entry(seq)); err != nil {
			return err
		}
	}
	return nil
}

func (s trimmedMeanwhile) First(context.Context) (uint64, error) { return s.first, nil }

// rows is a database with a row for each sequence up to its number, but for one.
type rows struct{ last, without uint64 }

func (r rows) Status(context.Context) (message.StoreStatus, error) {
	return message.StoreStatus{Checkpoint: message.Checkpoint{StreamID: "s", Seq: r.last}, Messages: int64(r.last)}, nil
}

func (r rows) History(_ context.Context, _ string, first, last uint64, f func(message.Record) error) error {
	for seq := first; seq <= last; seq++ {
		if seq == r.without {
			continue
		}
		e := entry(seq)
		if err := f(message.Record{Message: made(seq), Seq: seq, CreatedAt: e.AcceptedAt, Source: e.Source, MsgID: e.MsgID}); err != nil {
			return err
		}
	}
	return nil
}

func (r rows) HistoryLetters(context.Context, string, uint64, uint64) ([]message.DeadLetter, error) {
	return nil, nil
}

func (r rows) HistoryStatuses(context.Context, string, uint64, uint64) ([]message.StatusRecord, error) {
	return nil, nil
}

func (r rows) Message(context.Context, string) (message.Detail, uint64, error) {
	return message.Detail{}, 0, message.ErrNotFound
}

func made(seq uint64) message.Message {
	return message.Message{ID: fmt.Sprint("m", seq), From: "+1", To: "+2", TS: "2025-01-01T00:00:00Z"}
}

func entry(seq uint64) message.Entry {
	m := made(seq)
	data, err := message.Marshal(&m)
	if err != nil {
		panic(err)
	}
	return message.Entry{
		Seq: seq, AcceptedAt: time.Unix(int64(seq), 0).UTC(), Source: "plain", MsgID: message.HeaderID(m.ID), Data: data,
	}
}

// Trimming goes on while a comparison runs. What it removes is no difference;
// what is missing behind it is.
func TestCompare_passesWhatIsTrimmedMeanwhile(t *testing.T) {
	for _, c := range []struct {
		stream trimmedMeanwhile
		rows   rows
		want   []Difference
		first  uint64
	}{
		{trimmedMeanwhile{1, 10}, rows{last: 10}, nil, 1},
		{trimmedMeanwhile{5, 10}, rows{last: 10}, nil, 5},
		{trimmedMeanwhile{11, 20}, rows{last: 10}, nil, 11},
		{trimmedMeanwhile{5, 10}, rows{last: 10, without: 7}, []Difference{{7, 7, `the stream has "m7", the database does not`}}, 5},
		{trimmedMeanwhile{5, 8}, rows{last: 10}, []Difference{
			{9, 10, "the stream holds no entries here"},
			{9, 9, `the database has "m9", the stream holds no entry`},
			{10, 10, `the database has "m10", the stream holds no entry`},
		}, 5},
	} {
		var got []Difference
		state := message.StreamState{ID: "s", First: 1, Last: 10} // as it was before
		result, err := Compare(t.Context(), c.stream, state, c.rows, 1, 10,
			func(d Difference) { got = append(got, d) }, func(int64, int64) {})
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) || result.First != c.first || result.Differences != int64(len(c.want)) {
			t.Errorf("%+v, %+v: %v, from %d", c.stream, c.rows, got, result.First)
		}
	}
}
