package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"sluice/internal/rebuild"
	"sluice/internal/stream"
	"sluice/internal/stream/streamtest"
	"sluice/internal/writer"
	"sluice/pkg/message"
)

// TestRebuilt_equalsTheLiveDatabase has two writers follow one stream, each into a
// database of its own. One database is never rebuilt, the other again and again: with
// its writer running and stopped, while messages come, from snapshots. In between
// writers restart, the stream is trimmed and, for some seeds, made anew. In the end
// the databases hold and answer the same.
func TestRebuilt_equalsTheLiveDatabase(t *testing.T) {
	for seed := range seeds(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			h := newHistory(t, seed)
			for range 40 {
				h.step()
			}
			h.rebuild()
			h.wait()
			h.compare()
		})
	}
}

// A snapshot's last entry may be trimmed between two questions about the stream. That
// is nothing against the snapshot.
func TestRebuilt_fromASnapshotWhoseLastEntryIsTrimmedMeanwhile(t *testing.T) {
	h := newHistory(t, 3)
	h.snapshot()
	last := h.state().Last
	for range 10 {
		h.publish(h.burst())
	}
	h.wait()
	h.afterState = sync.OnceFunc(func() {
		for deadline := time.Now().Add(time.Minute); h.state().First <= last; time.Sleep(time.Millisecond) {
			if h.trim(); time.Now().After(deadline) { // its writers acknowledge in a moment
				t.Fatal("it is not trimmed")
			}
		}
	})
	config := GenerationConfig{Config: tiny(h.rebuilt.path), From: h.snapshots[0], Progress: func(int64, int64) {}}
	if err := h.run(config, h.rebuilt.handOver); err != nil {
		t.Fatal(err)
	}
	h.wait()
	h.compare()
}

// follower is a writer between the stream and a database.
type follower struct {
	h      *history
	name   string
	path   string
	reader *Reader
	writer *writer.Writer
	stop   func() // nil while it does not run
}

// start runs the writer until stop is called.
func (f *follower) start() {
	f.h.t.Helper()
	conn, err := stream.Connect(stream.ConnConfig{URL: f.h.server.ClientURL(), Token: streamtest.Token}, streamtest.Quiet())
	if err != nil {
		f.h.t.Fatal(err)
	}
	f.writer = writer.New(writer.Config{MaxBatch: 1 + f.h.IntN(200), SyncEvery: time.Millisecond}, writer.Ports{
		Source: stream.NewConsumer(conn, stream.ConsumerConfig{Name: f.name}, streamtest.Quiet()),
		Stream: conn,
		Open:   f.open,
	}, streamtest.Quiet(), metrics.NewSet(), time.Now)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func(w *writer.Writer) { ended <- w.Run(ctx) }(f.writer)
	f.stop = func() {
		f.stop = nil
		cancel()
		if err := <-ended; err != nil {
			f.h.t.Errorf("writer %s: %v", f.name, err)
		}
		conn.Close()
	}
}

// open opens the database, as the writer's program does: it waits for a reader that
// holds it for a moment.
func (f *follower) open(ctx context.Context) (writer.Store, error) {
	for {
		s, err := Open(ctx, tiny(f.path))
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, ErrLocked) {
			return nil, err
		}
		time.Sleep(time.Millisecond)
	}
}

func (f *follower) restart() {
	f.stop()
	f.start()
}

// handOver has the writer that runs by then close its database.
func (f *follower) handOver(ctx context.Context) error {
	_, err := f.writer.HandOver(ctx)
	return err
}

// history is a stream with random traffic and two writers that follow it.
type history struct {
	*generator
	t         *testing.T
	server    *streamtest.Server
	conn      *stream.Conn
	publisher *stream.Publisher
	published int

	live, rebuilt *follower
	snapshots     []string
	madeAnew      bool // the stream, once
	mayMakeAnew   bool
	mayTrim       bool

	afterState func() // is called when a rebuild has asked for the stream's state
}

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{generator: newGenerator(seed), t: t, server: streamtest.Start(t), mayMakeAnew: seed%3 == 1, mayTrim: seed%3 == 0, afterState: func() {}}
	h.conn = h.server.ConnectInProcess(t)
	h.publisher = h.server.Publisher(t, stream.PublisherConfig{})
	for _, f := range []struct {
		name string
		at   **follower
	}{{"live", &h.live}, {"rebuilt", &h.rebuilt}} {
		path := filepath.Join(t.TempDir(), "app.db")
		*f.at = &follower{h: h, name: f.name, path: path, reader: openReader(t, path)}
		(*f.at).start()
	}
	t.Cleanup(func() {
		for _, f := range []*follower{h.live, h.rebuilt} {
			if f.stop != nil {
				f.stop()
			}
		}
	})
	h.publish(h.burst())
	h.wait()
	return h
}

// step is one thing that happens.
func (h *history) step() {
	h.t.Helper()
	switch h.IntN(12) {
	case 0:
		h.live.restart()
	case 1:
		h.rebuilt.restart()
	case 2, 3:
		if h.mayTrim {
			h.trim()
		}
	case 4:
		h.snapshot()
	case 5, 6:
		h.rebuild()
	case 7:
		if h.mayMakeAnew && !h.madeAnew {
			h.makeAnew()
		}
	default:
		h.publish(h.burst())
	}
}

// burst makes some entries: new messages, repeats and conflicts, statuses and
// what cannot be decoded.
func (h *history) burst() []message.Entry {
	var entries []message.Entry
	for range 1 + h.IntN(60) {
		h.published++
		e := message.Entry{MsgID: fmt.Sprint("entry-", h.published), Source: pick(h.generator, "plain", "plain", "whatsapp")}
		var err error
		switch n := h.IntN(20); {
		case n == 0:
			e.Data = []byte(pick(h.generator, "garbage", `{"v":99}`, "\xff", "{}"))
		case n == 1:
			e.Data, err = message.MarshalUnknown(&message.Unknown{Reason: "odd", Raw: []byte(`{"type":"odd"}`)})
		case n < 5 && len(h.made) > 0:
			s := message.Status{MessageID: h.made[h.IntN(len(h.made))].ID, Status: pick(h.generator, "sent", "delivered", "read"),
				TS: pick(h.generator, "", "2025-03-01T12:00:00Z"), Recipient: h.msisdn(h.recipients), Raw: []byte(`{"a":1}`)}
			e.Data, err = message.MarshalStatus(&s)
		default:
			m := h.message()
			if e.Source == "whatsapp" {
				m.Raw = []byte(fmt.Sprintf(`{"id":%q}`, e.MsgID))
			}
			e.Data, err = message.Marshal(&m)
		}
		if err != nil {
			h.t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries
}

func (h *history) publish(entries []message.Entry) {
	h.t.Helper()
	if _, err := h.publisher.PublishAll(h.t.Context(), entries); err != nil {
		h.t.Fatal(err)
	}
}

func (h *history) state() message.StreamState {
	h.t.Helper()
	status, err := h.conn.Status(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return status.StreamState
}

// wait returns once both databases have all that the stream has.
func (h *history) wait() {
	h.t.Helper()
	state := h.state()
	for _, f := range []*follower{h.live, h.rebuilt} {
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			status, err := f.reader.Status(h.t.Context())
			if err == nil && status.Checkpoint.StreamID == state.ID && status.Checkpoint.Seq == state.Last {
				break
			}
			state = h.state() // a writer may give something back
			if time.Now().After(deadline) {
				h.t.Fatalf("%s is at %v (%v), the stream at %v", f.name, status.Checkpoint, err, state)
			}
		}
	}
}

// trim has the stream forget what both writers have acknowledged, up to some entry.
func (h *history) trim() {
	h.t.Helper()
	state := h.state()
	e, err := h.conn.FirstFrom(h.t.Context(), state.First+h.Uint64N(state.Last-state.First+1))
	if err != nil {
		h.t.Fatal(err)
	}
	trimmer := stream.NewTrimmer(h.conn, stream.TrimmerConfig{}, func() time.Time { return e.AcceptedAt }, streamtest.Quiet())
	if _, err := trimmer.Trim(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

// makeAnew removes the stream once both databases have all of it.
func (h *history) makeAnew() {
	h.t.Helper()
	h.wait()
	h.server.MakeAnew(h.t, stream.Config{})
	h.madeAnew, h.snapshots = true, nil
	h.publish(h.burst())
	h.wait()
}

func (h *history) snapshot() {
	h.t.Helper()
	to := filepath.Join(h.t.TempDir(), "copy.db")
	if _, err := Snapshot(h.t.Context(), h.rebuilt.path, to, func(int64, int64) {}); err != nil {
		h.t.Fatal(err)
	}
	h.snapshots = append(h.snapshots, to)
}

// rebuild makes one of the databases anew, in one of the ways in which that is done.
func (h *history) rebuild() {
	h.t.Helper()
	f := h.rebuilt
	config := GenerationConfig{Config: tiny(f.path), Progress: func(int64, int64) {}}
	if len(h.snapshots) > 0 && h.IntN(2) == 0 {
		config.From = h.snapshots[h.IntN(len(h.snapshots))]
	}
	handOver := f.handOver
	if stopped := h.IntN(3) == 0; stopped {
		f.stop()
		handOver = h.nobody
		defer f.start()
	}
	during := make(chan error, 1)
	entries := h.burst()
	go func() {
		_, err := h.publisher.PublishAll(h.t.Context(), entries)
		during <- err
	}()
	if err := h.run(config, handOver); err != nil {
		h.t.Fatalf("rebuild from %q: %v", config.From, err)
	}
	if err := <-during; err != nil {
		h.t.Fatal(err)
	}
}

// nobody is the hand-over where no writer runs.
func (h *history) nobody(context.Context) error { return nil }

func (h *history) run(config GenerationConfig, handOver func(context.Context) error) (err error) {
	made, err := NewGeneration(h.t.Context(), config)
	if err != nil {
		return err
	}
	defer func() {
		if closed := made.Close(); err == nil {
			err = closed
		}
		h.rebuilt.writer.TakeBack()
	}()
	_, err = rebuild.Run(h.t.Context(), rebuild.Plan{
		Stream: stream.NewReplayer(h.conn),
		State: func(ctx context.Context) (message.StreamState, error) {
			status, err := h.conn.Status(ctx)
			h.afterState()
			return status.StreamState, err
		},
		Old: h.rebuilt.reader, New: made, HandOver: handOver,
		Phase: func(string, string) {}, Progress: func(int64, int64) {},
	})
	return err
}

// compare compares the databases: what they hold, and what they answer.
func (h *history) compare() {
	h.t.Helper()
	for _, f := range []*follower{h.live, h.rebuilt} {
		f.stop()
	}
	wantSame(h.t, h.tables(h.rebuilt), h.tables(h.live))
	m := h.model()
	if len(m.rows) < 100 {
		h.t.Errorf("only %d rows", len(m.rows))
	}
	for _, f := range []*follower{h.live, h.rebuilt} {
		m.checkAgainst(h.t, f.reader, h.generator, 100)
	}
	checkDatabase(h.t, openStore(h.t, tiny(h.rebuilt.path)))
}

// wantSame fails unless two databases have the same tables, and shows what differs.
func wantSame(t *testing.T, got, want map[string][]string) {
	t.Helper()
	for what, want := range want {
		if got := got[what]; !slices.Equal(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", what, strings.Join(without(got, want), "\n     "), strings.Join(without(want, got), "\n     "))
		}
	}
}

// without returns the lines that others lack.
func without(lines, others []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return slices.Contains(others, line) })
}

// tables are what must not depend on how a database came about.
func (h *history) tables(f *follower) map[string][]string {
	h.t.Helper()
	c := h.open(f)
	defer c.close()
	tables := map[string]string{
		"messages": `SELECT message_id, from_msisdn, to_msisdn, ts, created_at, m.seq, source, identity, ts_us, ts_ns, text,
			(SELECT raw FROM raws WHERE raws.rid = m.rid) FROM messages m JOIN streams ON streams.id = m.stream ORDER BY message_id`,
		"dead letters": `SELECT identity, seq, created_at, source, reason, data FROM dead_letters
			JOIN streams ON streams.id = stream ORDER BY identity, seq`,
		"statuses":    "SELECT identity, " + statusColumns + " FROM statuses JOIN streams ON streams.id = stream ORDER BY identity, seq",
		"senders":     "SELECT msisdn, rows FROM senders ORDER BY msisdn",
		"top senders": "SELECT msisdn, rows FROM top_senders ORDER BY rows DESC, msisdn",
		"state":       "SELECT identity, seq, msg_id, applied_at, messages, senders FROM state JOIN streams ON streams.id = stream",
		"segments":    "SELECT sum(rows) FROM segments",
		"ranks":       "SELECT ord, value, sum(rows) FROM rank_groups GROUP BY ord, value ORDER BY ord, value",
	}
	if !h.mayTrim && !h.madeAnew { // a repeat is not carried over
		tables["outcomes"] = "SELECT inserted, duplicates, conflicts, dead_letters FROM state"
	}
	lines := make(map[string][]string)
	for what, sql := range tables {
		lines[what] = dump(h.t, c, sql)
	}
	return lines
}

func (h *history) open(f *follower) *conn {
	h.t.Helper()
	path, err := filepath.EvalSymlinks(f.path)
	if err != nil {
		h.t.Fatal(err)
	}
	c, err := openForReading(path, 1<<20)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// model is what both should answer, from the rows of the live database.
func (h *history) model() *model {
	h.t.Helper()
	c := h.open(h.live)
	defer c.close()
	m := &model{seq: h.state().Last}
	err := c.query("SELECT "+recordColumns+" FROM messages r", func(row []driver.Value) error {
		m.rows = append(m.rows, m.row(recordOf(row)))
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return m
}
