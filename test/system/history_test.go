package system

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sluice/pkg/message"
	"sluice/pkg/signature"
	"sluice/test/harness"
)

// TestRebuild_equalsTheLiveDatabase runs two writers behind one api. The database of
// the one is never rebuilt, that of the other again and again, with its writer running
// and stopped, while webhooks come. Programs are killed, the stream is trimmed for
// every other seed. In the end both databases hold the same and answer the same.
//
// (internal/store has this test with many more seeds and steps, below the programs.)
func TestRebuild_equalsTheLiveDatabase(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			h := newHistory(t, seed)
			for range 25 {
				h.step()
			}
			h.rebuild()
			h.compare()
		})
	}
}

// history is random traffic and what happens meanwhile.
type history struct {
	*rand.Rand
	t             *testing.T
	rebuilt, live *harness.Pipeline // two writers of the api of rebuilt
	made          []message.Message
	trims         bool
}

func newHistory(t *testing.T, seed uint64) *history {
	env := map[string]string{"DEDUP_WINDOW": "100ms"} // so that repeats come to the writers
	maps.Copy(env, patient)
	maps.Copy(env, whatsappEnv)
	h := &history{Rand: rand.New(rand.NewPCG(seed, 1)), t: t, trims: seed%2 == 1}
	h.rebuilt = harness.Start(t, harness.Options{API: env})
	h.live = harness.New(t, harness.Options{API: env, Writer: map[string]string{"WRITER_NAME": "live", "NATS_URL": h.rebuilt.NATS}})
	h.live.Writer.StartReady()
	h.burst()
	return h
}

// step is one thing that happens.
func (h *history) step() {
	h.t.Helper()
	switch h.IntN(10) {
	case 0:
		h.during(func() { restart(h.rebuilt.API) })
	case 1:
		h.during(func() { restart(h.rebuilt.Writer) })
	case 2:
		h.during(func() { restart(h.live.Writer) })
	case 3, 4:
		h.during(h.rebuild)
	case 5:
		h.rebuilt.Writer.Stop()
		h.during(h.rebuild)
		h.rebuilt.Writer.StartReady()
	case 6:
		if h.trims {
			h.trim()
		}
	default:
		h.burst()
	}
}

func restart(p *harness.Process) {
	p.Kill()
	p.StartReady()
}

// during has webhooks come while something happens.
func (h *history) during(f func()) {
	h.t.Helper()
	var posting sync.WaitGroup
	bodies := h.bodies()
	posting.Go(func() { h.post(bodies) })
	f()
	posting.Wait()
}

func (h *history) burst() { h.post(h.bodies()) }

// webhook is a delivery on its way, or bytes that somebody publishes.
type webhook struct {
	path, header, signature string
	body                    []byte
	published               bool
}

// bodies makes some webhooks: messages, repeats and conflicts, WhatsApp's messages and
// statuses, and entries that cannot be decoded.
func (h *history) bodies() (all []webhook) {
	for range 1 + h.IntN(40) {
		switch n := h.IntN(12); {
		case n == 0:
			all = append(all, webhook{published: true, body: []byte([]string{"garbage", "{}", `{"v":99}`, "\xff"}[h.IntN(4)])})
		case n < 3:
			id := fmt.Sprintf("wamid.%d", h.IntN(30))
			parts := fmt.Sprintf(`"messages":[{"from":"4930%03d","id":%q,"timestamp":"%d","type":"text","text":{"body":"Grüße %d"}}]`,
				h.IntN(5), id, 1736935200+h.IntN(100), h.IntN(3))
			if n == 2 {
				parts = fmt.Sprintf(`"statuses":[{"id":%q,"status":%q,"timestamp":"1736935300","recipient_id":"49301"}]`,
					id, []string{"sent", "delivered", "read"}[h.IntN(3)])
			}
			body := []byte(whatsappChange(parts))
			all = append(all, webhook{path: "/webhook/whatsapp", body: body,
				header: signature.HubSHA256Header, signature: signature.NewHubSHA256(whatsappEnv["WHATSAPP_APP_SECRET"]).Sign(body)})
		default:
			m := h.message()
			body, err := json.Marshal(map[string]any{"message_id": m.ID, "from": m.From, "to": m.To, "ts": m.TS, "text": m.Text})
			if err != nil {
				h.t.Fatal(err)
			}
			all = append(all, webhook{path: "/webhook", body: body, header: "X-Signature", signature: harness.Sign(body)})
		}
	}
	return all
}

// message is a new one, one that was there already, or another one of its id.
func (h *history) message() message.Message {
	text := []string{"Hello", "STRASSE und Straße", "a longer text that says the same", "İstanbul", "x"}[h.IntN(5)]
	m := message.Message{
		ID: fmt.Sprintf("m-%d", len(h.made)), From: fmt.Sprintf("+49170%04d", h.IntN(8)), To: fmt.Sprintf("+1415%04d", h.IntN(3)),
		TS: time.Unix(1736935200+h.Int64N(5000), h.Int64N(1e9)).UTC().Format(time.RFC3339Nano), Text: &text,
	}
	switch n := h.IntN(10); {
	case n == 0:
		m.Text = nil
	case n < 3 && len(h.made) > 0:
		return h.made[h.IntN(len(h.made))]
	case n == 3 && len(h.made) > 0:
		m.ID = h.made[h.IntN(len(h.made))].ID
	}
	h.made = append(h.made, m)
	return m
}

// post sends webhooks, each again until it is taken.
func (h *history) post(all []webhook) {
	for _, w := range all {
		if w.published {
			h.untilTaken(func() bool {
				js := connect(h.t, h.rebuilt)
				_, err := js.Publish(h.t.Context(), "webhooks.plain", w.body)
				return err == nil
			})
			continue
		}
		h.untilTaken(func() bool {
			res, err := h.rebuilt.Try("POST", w.path, w.body, w.header, w.signature)
			if err == nil && res.Status != 200 && res.Status != 503 {
				h.t.Errorf("%s: %d %s", w.body, res.Status, res.Body)
				return true
			}
			return err == nil && res.Status == 200
		})
	}
}

func (h *history) untilTaken(try func() bool) {
	for deadline := time.Now().Add(time.Minute); !try(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Error("a webhook was never taken")
			return
		}
	}
}

func (h *history) rebuild() {
	h.t.Helper()
	h.rebuilt.MustRun("rebuild")
}

// trim has the stream forget what both databases have, as the api does once it is old.
func (h *history) trim() {
	h.t.Helper()
	last := h.wait()
	s, err := connect(h.t, h.rebuilt).Stream(h.t.Context(), "WEBHOOKS")
	if err != nil {
		h.t.Fatal(err)
	}
	if err := s.Purge(h.t.Context(), jetstream.WithPurgeSequence(1+h.Uint64N(last))); err != nil {
		h.t.Fatal(err)
	}
}

// wait returns the stream's last sequence once both databases have it.
func (h *history) wait() (last uint64) {
	h.t.Helper()
	s, err := connect(h.t, h.rebuilt).Stream(h.t.Context(), "WEBHOOKS")
	if err != nil {
		h.t.Fatal(err)
	}
	last = s.CachedInfo().State.LastSeq
	for _, p := range []*harness.Pipeline{h.rebuilt, h.live} {
		db := p.Open()
		harness.Eventually(h.t, "all entries are applied", func() bool {
			var seq uint64
			return db.QueryRow("SELECT seq FROM state").Scan(&seq) == nil && seq >= last
		})
		db.Close()
	}
	return last
}

// compare compares what the databases hold and what they answer.
func (h *history) compare() {
	h.t.Helper()
	h.wait()
	h.rebuilt.MustRun("verify")
	h.live.MustRun("verify")
	h.live.API.StartReady() // on the live database; its own stream stays empty

	tables := []string{
		`SELECT message_id, from_msisdn, to_msisdn, ts, created_at, seq, source, ts_us, ts_ns, text,
			(SELECT raw FROM raws WHERE raws.rid = m.rid) FROM messages m ORDER BY message_id`,
		"SELECT seq, created_at, source, reason, data FROM dead_letters ORDER BY seq",
		"SELECT seq, message_id, status, ts, recipient FROM statuses ORDER BY seq",
		"SELECT msisdn, rows FROM senders ORDER BY msisdn",
		"SELECT messages, senders, seq, msg_id, applied_at FROM state",
	}
	if !h.trims { // a repeat is not carried over
		tables = append(tables, "SELECT inserted, duplicates, conflicts, dead_letters FROM state")
	}
	for _, query := range tables {
		got, want := dump(h.t, h.rebuilt, query), dump(h.t, h.live, query)
		if !slices.Equal(got, want) {
			h.t.Errorf("%s:\n rebuilt %q\n live    %q", query, got, want)
		}
		if len(want) == 0 {
			h.t.Errorf("nothing is compared by %s", query)
		}
	}

	paths := []string{"/stats", "/messages", "/messages?order=desc&limit=100", "/messages?offset=37", harness.MessagePath("wamid.1")}
	for _, q := range []string{"strasse", "istanbul", "lo", "x", "grüsse", "not there"} {
		paths = append(paths, "/messages?q="+url.QueryEscape(q))
	}
	for n := range 8 {
		paths = append(paths, "/messages?from="+url.QueryEscape(fmt.Sprintf("+49170%04d", n)),
			fmt.Sprintf("/messages?since=2025-01-15T10:%02d:00Z&limit=7", n*10))
	}
	for n := range 20 {
		paths = append(paths, harness.MessagePath(fmt.Sprintf("m-%d", n)))
	}
	for _, path := range paths {
		got, want := h.rebuilt.Get(path), h.live.Get(path)
		if got.Status != want.Status || string(got.Body) != string(want.Body) {
			h.t.Errorf("%s:\n rebuilt %d %s\n live    %d %s", path, got.Status, got.Body, want.Status, want.Body)
		}
	}
	if target, err := filepath.EvalSymlinks(h.live.Database); err != nil || filepath.Base(target) != "app.db" {
		h.t.Errorf("the live database was rebuilt: %s %v", target, err)
	}
	if target, err := filepath.EvalSymlinks(h.rebuilt.Database); errors.Is(err, fs.ErrNotExist) || filepath.Base(target) == "app.db" {
		h.t.Errorf("the other one was not: %s %v", target, err)
	}
}

// dump returns every row of a query as one line.
func dump(t *testing.T, p *harness.Pipeline, query string) (lines []string) {
	t.Helper()
	db := p.Open()
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%v", values))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}
