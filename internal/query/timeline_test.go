package query

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestTimeline_endsWithTheLastMessageOrNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins at 2000-01-01T00:00:00Z
		past, future := "1999-12-24T18:30:00.5Z", "2525-01-01T00:00:00Z"
		for _, c := range []struct {
			query  string
			lastTS *string
			first  string
			last   string
			n      int
		}{
			{"", &past, "1999-12-22T19:00:00Z", "1999-12-24T18:00:00Z", 48},
			{"", &future, "1999-12-30T01:00:00Z", "2000-01-01T00:00:00Z", 48},
			{"", nil, "1999-12-30T01:00:00Z", "2000-01-01T00:00:00Z", 48},
			{"unit=day&buckets=3", &past, "1999-12-22T00:00:00Z", "1999-12-24T00:00:00Z", 3},
			{"buckets=1&until=1999-12-24T18:00:00Z", &past, "1999-12-24T17:00:00Z", "1999-12-24T17:00:00Z", 1},
			{"buckets=1&until=1999-12-24T18:00:00.000000001Z", &past, "1999-12-24T18:00:00Z", "1999-12-24T18:00:00Z", 1},
		} {
			q, err := ParseTimeline(c.query)
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := (&database{lastTS: c.lastTS}).service().Timeline(context.Background(), q)
			if err != nil || len(got) != c.n {
				t.Fatalf("%q: %d buckets, %v", c.query, len(got), err)
			}
			if first, last := got[0].Start.Format(time.RFC3339), got[c.n-1].Start.Format(time.RFC3339); first != c.first || last != c.last {
				t.Errorf("%q: %s to %s", c.query, first, last)
			}
			if want := int64(units[q.Unit].Hours()); got[0].Count != want {
				t.Errorf("%q: %d", c.query, got[0].Count)
			}
		}
	})
}

func TestParseTimeline_refusesWhatBreaksARule(t *testing.T) {
	for _, bad := range []string{"unit=year", "unit=", "buckets=0", "buckets=401", "until=now", "from=x"} {
		if _, err := ParseTimeline(bad); err == nil {
			t.Errorf("%q", bad)
		}
	}
}

func TestDeadLetters_areBounded(t *testing.T) {
	letters, err := (&database{}).service().DeadLetters(context.Background(), 100)
	if err != nil || len(letters) != maxDeadLetters || len(letters[0].Data) != 100 || letters[0].Bytes != 5000 {
		t.Errorf("%d letters, %v", len(letters), err)
	}
}
