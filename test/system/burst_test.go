package system

import (
	"net/http"
	"strconv"
	"sync"
	"testing"

	"sluice/test/harness"
	"sluice/test/load"
)

func TestBurst_fiftyPostsOfOneIDAreOneRow(t *testing.T) {
	t.Parallel()
	p := start(t)
	body := load.Body(hello("one"))
	var posts sync.WaitGroup
	sequences := make([]uint64, 50)
	for i := range sequences {
		posts.Go(func() {
			res, err := p.Try("POST", "/webhook", body, "X-Signature", harness.Sign(body))
			if err != nil || res.Status != http.StatusOK {
				t.Errorf("a post of the same id: %v, %+v", err, res)
				return
			}
			sequences[i] = res.Sequence()
		})
	}
	posts.Wait()
	for _, seq := range sequences {
		if seq != sequences[0] {
			t.Fatalf("one message got several sequences: %d", sequences)
		}
	}
	if page := p.Messages(); page.Total != 1 || len(page.Data) != 1 {
		t.Errorf("50 posts of one id are %d rows", page.Total)
	}
}

// TestBurst_everythingIsThereInOrder: 10,000 messages over 64 connections are
// there with the first GET behind the last 200, in order, with exact totals.
func TestBurst_everythingIsThereInOrder(t *testing.T) {
	t.Parallel()
	const count = 10_000
	p := harness.Start(t, harness.Options{API: map[string]string{"READ_WAIT": "20s", "LOG_LEVEL": "WARNING"}})
	c := load.Config{Addr: p.Addr, Secret: harness.Secret, Connections: 64, Count: count, Prepare: true}
	res := load.Run(t.Context(), c)
	t.Log(res)
	if res.OK() != count {
		t.Fatal("not every message was acknowledged")
	}

	payload := c.Payload.WithDefaults()
	missing := map[string]uint64{}
	for n := range uint64(count) {
		missing[payload.ID(n)] = n
	}
	var last harness.Row
	for page := p.Messages("limit", "100"); ; page = p.Messages("limit", "100", "cursor", *page.NextCursor) {
		if page.Total != count {
			t.Fatalf("the total is %d, want %d", page.Total, count)
		}
		for _, row := range page.Data {
			n, ok := missing[row.ID]
			delete(missing, row.ID)
			m := payload.Message(n)
			got := messageOf(row)
			if !ok || !m.SameContent(&got) {
				t.Fatalf("row %+v was posted once as %+v: %v", row, m, ok)
			}
			before, after := messageOf(last), got
			if last.ID != "" && !before.Instant().Before(after.Instant()) && (!before.Instant().Equal(after.Instant()) || before.ID > after.ID) {
				t.Fatalf("%+v comes before %+v", last, row)
			}
			last = row
		}
		if page.NextCursor == nil {
			break
		}
	}
	if len(missing) > 0 {
		t.Errorf("%d messages are missing", len(missing))
	}
	var stats struct {
		Total   int `json:"total_messages"`
		Senders int `json:"senders_count"`
	}
	p.Decode("/stats", &stats)
	if stats.Total != count || stats.Senders != payload.Senders {
		t.Errorf("/stats says %+v", stats)
	}
	if seq := strconv.FormatUint(res.LastSeq, 10); p.Get("/messages").Header.Get("X-Applied-Sequence") != seq {
		t.Errorf("the database is not at the last sequence, %s", seq)
	}
}
