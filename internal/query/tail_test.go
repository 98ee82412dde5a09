package query

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"sluice/pkg/message"
)

func (d *database) service() *Service {
	return New(Config{Reader: d, Acked: func() uint64 { return 0 }})
}

// tail starts one by the query part of its URL.
func (d *database) tail(t *testing.T, rawQuery, lastEventID string) *Tail {
	t.Helper()
	q, err := ParseTail(rawQuery, lastEventID)
	if err != nil {
		t.Fatal(err)
	}
	tail, err := d.service().Tail(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return tail
}

// sequences of the next answer.
func sequences(t *testing.T, tail *Tail) (first, last uint64, passed int64) {
	t.Helper()
	a, err := tail.Next(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(a.Records); n > 0 {
		first, last = a.Records[0].Seq, a.Records[n-1].Seq
	}
	return first, last, a.Passed
}

func TestTail_tellsWhatArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &database{applied: 10}
		tail := d.tail(t, "", "")
		d.apply(12)
		if first, last, _ := sequences(t, tail); first != 11 || last != 12 || tail.At() != 12 {
			t.Errorf("%d to %d, at %d", first, last, tail.At())
		}
		time.AfterFunc(time.Second, func() { d.apply(13) })
		if first, last, _ := sequences(t, tail); first != 13 || last != 13 {
			t.Errorf("%d to %d", first, last)
		}
		start := time.Now()
		if first, _, _ := sequences(t, tail); first != 0 || time.Since(start) != tailSilence {
			t.Errorf("in silence: %d after %v", first, time.Since(start))
		}
	})
}

func TestTail_goesOnWhereItsReaderWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &database{applied: tailRows + 20}
		for name, tail := range map[string]*Tail{"after": d.tail(t, "after=10", ""), "event": d.tail(t, "after=3", "10")} {
			first, last, _ := sequences(t, tail)
			if first != 11 || last != tailRows+10 {
				t.Errorf("%s: %d to %d", name, first, last)
			}
			if first, last, _ = sequences(t, tail); first != last-9 || last != tailRows+20 {
				t.Errorf("%s: %d to %d", name, first, last)
			}
		}
		tail := d.tail(t, "after=999999", "")
		d.apply(tailRows + 21)
		if first, _, _ := sequences(t, tail); first != tailRows+21 {
			t.Errorf("from beyond the database: %d", first)
		}
	})
}

func TestTail_passesOverWhatIsTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &database{applied: 100}
		tail, filtered := d.tail(t, "newest=50", ""), d.tail(t, "newest=50&from=%2B1", "")
		d.apply(1100)
		for name, tail := range map[string]*Tail{"all": tail, "filtered": filtered} {
			if first, last, passed := sequences(t, tail); first != 1051 || last != 1100 || passed != 950 {
				t.Errorf("%s: %d to %d, %d passed", name, first, last, passed)
			}
		}
	})
}

func TestTail_endsWithItsDatabaseAndItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &database{}
		tail := d.tail(t, "", "")
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		if _, err := tail.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("its reader went: %v", err)
		}
		d.set(func(d *database) { d.err = message.ErrUnavailable })
		if _, err := tail.Next(context.Background()); !errors.Is(err, message.ErrUnavailable) {
			t.Errorf("its database went: %v", err)
		}
		if _, err := d.service().Tail(context.Background(), TailQuery{}); !errors.Is(err, message.ErrUnavailable) {
			t.Errorf("there is none: %v", err)
		}
	})
}

func TestParseTail_refusesWhatBreaksARule(t *testing.T) {
	for _, bad := range []struct{ query, id string }{{"newest=0", ""}, {"newest=1001", ""}, {"after=-1", ""}, {"", "x"}, {"from=1", ""}} {
		if _, err := ParseTail(bad.query, bad.id); err == nil {
			t.Errorf("%+v", bad)
		}
	}
}
