package writer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"sluice/internal/writer"
	"sluice/pkg/message"
)

// world is a stream and a database in memory, with a writer between them that can
// be stopped and started. Whoever uses it is inside a synctest bubble.
type world struct {
	t      *testing.T
	stream *fakeStream
	store  *fakeStore
	cfg    writer.Config
	log    logged       // of every writer so far
	set    *metrics.Set // of the present one
	writer *writer.Writer
	stop   func()

	trouble atomic.Int64 // how many calls of a hundred fail, see troubled
}

func newWorld(t *testing.T) *world {
	store := &fakeStore{}
	return &world{t: t, store: store, stream: &fakeStream{t: t, store: store, id: "one"}}
}

// logged keeps what is logged.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// make returns a new writer.
func (w *world) make() *writer.Writer {
	w.set = metrics.NewSet()
	log := slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	open := func(context.Context) (writer.Store, error) { return w.store, nil }
	return writer.New(w.cfg, writer.Ports{Source: w.stream, Stream: w.stream, Open: open}, log, w.set, time.Now)
}

// start runs a new writer until stop is called. Its first opening of the store
// goes well: else that would be its end.
func (w *world) start() {
	trouble := w.trouble.Swap(0)
	ctx, cancel := context.WithCancel(w.t.Context())
	w.writer = w.make()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := w.writer.Run(ctx); err != nil {
			w.t.Errorf("Run: %v", err)
		}
	}()
	w.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	if trouble > 0 {
		synctest.Wait()
		w.trouble.Store(trouble)
	}
}

// troubled makes three calls of ten fail from now on, on either side.
func (w *world) troubled(seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	var mu sync.Mutex
	fails := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return random.Int64N(100) < w.trouble.Load()
	}
	w.stream.fails = func(string) bool { return fails() }
	w.store.fails = func(string) error {
		if fails() {
			return errors.New("disk I/O error")
		}
		return nil
	}
	w.trouble.Store(30)
}

// settle waits until the writer has nothing left to do.
func (w *world) settle() {
	w.t.Helper()
	for range 1000 {
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if w.store.checkpoint().Seq == w.stream.last() && w.store.checkpoint().StreamID == w.stream.identity() &&
			w.stream.ackedAll() {
			return
		}
	}
	w.t.Fatalf("not settled: checkpoint %v, stream at %d\n%s", w.store.checkpoint(), w.stream.last(), w.log.String())
}

// metric returns the value of a metric as /metrics shows it.
func (w *world) metric(name string) string {
	var page strings.Builder
	w.set.WritePrometheus(&page)
	for line := range strings.Lines(page.String()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	w.t.Errorf("no metric %s in:\n%s", name, page.String())
	return ""
}

// wantRows fails unless the database holds exactly these, as "seq:id=text".
func (w *world) wantRows(want ...string) {
	w.t.Helper()
	if got := w.store.rows(); !slices.Equal(got, want) {
		w.t.Errorf("rows: got %q, want %q\n%s", got, want, w.log.String())
	}
}

// wantRebuilt fails unless the rows are those that a database made anew from the
// stream would have.
func (w *world) wantRebuilt(keep func(message.Record) bool) {
	w.t.Helper()
	made := rebuilt(w.stream)
	want := describe(slices.DeleteFunc(made.records, func(r message.Record) bool { return !keep(r) }))
	if got := describe(w.store.records()); !slices.Equal(got, want) {
		w.t.Errorf("rows:    %q\nrebuilt: %q\n%s", got, want, w.log.String())
	}
	if got, want := describeStatuses(w.store.statuses()), describeStatuses(made.statuses); !slices.Equal(got, want) {
		w.t.Errorf("statuses: %q\nrebuilt:  %q\n%s", got, want, w.log.String())
	}
}

func entryOf(id, text string) message.Entry {
	m := message.Message{ID: id, From: "+1", To: "+2", TS: "2025-01-15T10:00:00Z", Text: &text}
	data, err := message.Marshal(&m)
	if err != nil {
		panic(err)
	}
	return message.Entry{MsgID: message.HeaderID(id), Source: "plain", Data: data}
}

func statusEntryOf(id, status string) message.Entry {
	s := message.Status{MessageID: id, Status: status, Raw: json.RawMessage("{}")}
	data, err := message.MarshalStatus(&s)
	if err != nil {
		panic(err)
	}
	return message.Entry{MsgID: s.MsgID("whatsapp"), Source: "whatsapp", Data: data}
}

// fakeStream is a stream and its consumer. It fails the test when something is
// acknowledged that would not survive a power cut.
type fakeStream struct {
	t     *testing.T
	store *fakeStore

	mu      sync.Mutex
	id      string
	first   uint64          // 0 stands for 1
	entries []message.Entry // from sequence 1 on; one without MsgID is a hole
	away    bool
	began   bool
	next    uint64
	acked   uint64
	durable uint64                 // what a power cut leaves
	fails   func(call string) bool // nil for never: the connection breaks instead of call
}

func (s *fakeStream) accept(id, text string) { s.append(entryOf(id, text)) }

func (s *fakeStream) append(e message.Entry) {
	time.Sleep(time.Millisecond) // else several would be accepted at the same time
	s.appendAt(e, time.Now().UTC())
}

func (s *fakeStream) appendAt(e message.Entry, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.Seq, e.AcceptedAt = uint64(len(s.entries))+1, at
	s.entries = append(s.entries, e)
}

// cut loses every entry behind last, and the connection.
func (s *fakeStream) cut(last uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = s.entries[:last]
	s.began = false
}

// anew loses the stream and makes another.
func (s *fakeStream) anew(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id, s.entries, s.first, s.acked, s.began = id, nil, 0, 0, false
}

func (s *fakeStream) setAway(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away, s.began = away, s.began && !away
}

func (s *fakeStream) last() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return uint64(len(s.entries))
}

func (s *fakeStream) identity() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

// ackedAll reports whether a consumer is at work and has acknowledged everything.
func (s *fakeStream) ackedAll() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.began && s.acked == uint64(len(s.entries))
}

func (s *fakeStream) state() message.StreamState {
	first, last := max(s.first, 1), uint64(len(s.entries))
	return message.StreamState{ID: s.id, First: min(first, last+1), Last: last}
}

// broken reports, inside mu, whether the connection is or has just been lost.
func (s *fakeStream) broken(call string) error {
	if s.fails != nil && s.fails(call) {
		s.began = false
	} else if !s.away {
		return nil
	}
	return fmt.Errorf("%s: %w", call, message.ErrDisconnected)
}

func (s *fakeStream) Open(ctx context.Context) (message.StreamState, error) {
	for {
		s.mu.Lock()
		state, away := s.state(), s.away
		s.mu.Unlock()
		if !away {
			return state, nil
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return message.StreamState{}, err
		}
	}
}

func (s *fakeStream) Entry(_ context.Context, seq uint64) (message.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.broken("entry"); err != nil {
		return message.Entry{}, err
	}
	if seq < max(s.first, 1) {
		return message.Entry{}, message.ErrTrimmed
	}
	if seq > uint64(len(s.entries)) || s.entries[seq-1].MsgID == "" {
		return message.Entry{}, message.ErrNoEntry
	}
	return s.entries[seq-1], nil
}

func (s *fakeStream) Begin(_ context.Context, after uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.broken("begin"); err != nil {
		return err
	}
	s.began, s.next = true, max(after+1, s.first)
	s.acknowledge(after)
	return nil
}

func (s *fakeStream) acknowledge(seq uint64) {
	if synced := s.store.syncedSeq(); seq > synced && seq >= s.first {
		s.t.Errorf("entries up to %d are acknowledged, a power cut leaves them up to %d", seq, synced)
	}
	s.acked = seq
}

func (s *fakeStream) Fetch(ctx context.Context, limit int, maxAge time.Duration) ([]message.Entry, error) {
	var entries []message.Entry
	for {
		s.mu.Lock()
		err := s.broken("fetch")
		if err == nil && !s.began {
			err = fmt.Errorf("fetch: %w", message.ErrDisconnected)
		}
		for ; err == nil && len(entries) < limit && s.next <= uint64(len(s.entries)); s.next++ {
			if e := s.entries[s.next-1]; e.MsgID != "" {
				entries = append(entries, e)
			}
		}
		s.mu.Unlock()
		switch {
		case err != nil:
			return nil, err
		case len(entries) == limit:
			return entries, nil
		case len(entries) > 0:
			if maxAge <= 0 || sleep(ctx, time.Millisecond) != nil {
				return entries, nil
			}
			maxAge -= time.Millisecond
		default:
			if err := sleep(ctx, time.Millisecond); err != nil {
				return nil, err
			}
		}
	}
}

func (s *fakeStream) Ack(_ context.Context, seq uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.broken("ack"); err != nil {
		return err
	}
	s.acknowledge(seq)
	return nil
}

func (s *fakeStream) Publish(_ context.Context, e message.Entry) error {
	s.mu.Lock()
	err := s.broken("publish")
	s.mu.Unlock()
	if err == nil {
		s.append(e)
		s.flush()
	}
	return err
}

// flush makes every entry so far durable.
func (s *fakeStream) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.durable = uint64(len(s.entries))
}

// powerCut loses a random part of what was not durable.
func (s *fakeStream) powerCut(random *rand.Rand) {
	s.mu.Lock()
	durable, last := s.durable, uint64(len(s.entries))
	s.mu.Unlock()
	s.cut(durable + random.Uint64N(last-durable+1))
}

func (s *fakeStream) Status(context.Context) (message.StreamStatus, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return message.StreamStatus{}, message.ErrDisconnected
	}
	return message.StreamStatus{StreamState: s.state()}, nil
}

func (s *fakeStream) FirstFrom(ctx context.Context, seq uint64) (message.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for seq = max(seq, s.first, 1); seq <= uint64(len(s.entries)); seq++ {
		if e := s.entries[seq-1]; e.MsgID != "" {
			return e, nil
		}
	}
	return message.Entry{}, message.ErrNoEntry
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fakeStore is a database. powerCut takes it back to what was synced.
type fakeStore struct {
	mu     sync.Mutex
	data   storeData
	synced storeData
	fails  func(call string) error            // nil for never
	refuse func(*message.Record) bool         // nil for never
	taken  func(message.Batch) (letGo func()) // nil for not to know; called before a batch is applied
}

type storeData struct {
	status  message.StoreStatus
	records []message.Record // in the order of arrival
	streams []string         // of each record
	letters []message.DeadLetter

	statuses       []message.StatusRecord
	statusOfStream []string // of each status
}

func (d storeData) clone() storeData {
	d.records, d.streams, d.letters = slices.Clone(d.records), slices.Clone(d.streams), slices.Clone(d.letters)
	d.statuses, d.statusOfStream = slices.Clone(d.statuses), slices.Clone(d.statusOfStream)
	return d
}

var errOtherStream = errors.New("the batch is of another stream")

func (s *fakeStore) Apply(_ context.Context, b message.Batch) (a message.Applied, err error) {
	if s.taken != nil {
		defer s.taken(b)()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failing("apply"); err != nil {
		return a, err
	}
	cp := &s.data.status.Checkpoint
	if cp.StreamID != "" && cp.StreamID != b.Checkpoint.StreamID {
		return a, errOtherStream
	}
	for i := range b.Records {
		if s.refuse != nil && s.refuse(&b.Records[i]) {
			return a, fmt.Errorf("row %d: %w", i, message.ErrRefused)
		}
	}
	for _, r := range b.Records {
		if r.Seq > cp.Seq {
			s.data.apply(r, b.Checkpoint.StreamID, &a)
			s.data.status.AppliedAt = r.CreatedAt
		}
	}
	for _, r := range b.Statuses {
		if r.Seq > cp.Seq {
			s.data.applyStatus(r, b.Checkpoint.StreamID)
			if r.Seq == b.Checkpoint.Seq {
				s.data.status.AppliedAt = r.CreatedAt
			}
		}
	}
	for _, d := range b.DeadLetters {
		if d.Seq > cp.Seq {
			a.DeadLetters++
			s.data.letters = append(s.data.letters, d)
			if d.Seq == b.Checkpoint.Seq {
				s.data.status.AppliedAt = d.CreatedAt
			}
		}
	}
	*cp = b.Checkpoint
	return a, nil
}

func (d *storeData) apply(r message.Record, stream string, a *message.Applied) {
	for i := range d.records {
		first := &d.records[i]
		switch {
		case first.ID != r.ID:
			continue
		case !first.SameContent(&r.Message):
			a.Conflicts = append(a.Conflicts, message.Conflict{ID: r.ID, Seq: r.Seq, FirstSeq: first.Seq})
		default:
			a.Duplicates++
			if d.streams[i] != stream {
				d.records[i], d.streams[i] = r, stream
			}
		}
		return
	}
	a.Inserted++
	d.records, d.streams = append(d.records, r), append(d.streams, stream)
}

func (d *storeData) applyStatus(r message.StatusRecord, stream string) {
	for i := range d.statuses {
		if d.statuses[i].SameEvent(&r.Status) {
			if d.statusOfStream[i] != stream {
				d.statuses[i], d.statusOfStream[i] = r, stream
			}
			return
		}
	}
	d.statuses, d.statusOfStream = append(d.statuses, r), append(d.statusOfStream, stream)
}

func (s *fakeStore) failing(call string) error {
	if s.fails == nil {
		return nil
	}
	return s.fails(call)
}

func (s *fakeStore) Sync(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failing("sync"); err != nil {
		return err
	}
	s.synced = s.data.clone()
	return nil
}

func (s *fakeStore) powerCut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = s.synced.clone()
}

func (s *fakeStore) syncedSeq() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.synced.status.Checkpoint.Seq
}

func (s *fakeStore) checkpoint() message.Checkpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data.status.Checkpoint
}

// current returns the records of the current stream in order of sequence.
func (d *storeData) current() []message.Record {
	var records []message.Record
	for i, r := range d.records {
		if d.streams[i] == d.status.Checkpoint.StreamID {
			records = append(records, r)
		}
	}
	slices.SortFunc(records, func(a, b message.Record) int { return int(a.Seq) - int(b.Seq) })
	return records
}

func (s *fakeStore) LastAt(_ context.Context, seq uint64) (cp message.Checkpoint, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cp.StreamID = s.data.status.Checkpoint.StreamID
	for _, r := range s.data.current() {
		if r.Seq <= seq {
			cp.Seq, cp.MsgID = r.Seq, message.HeaderID(r.ID)
		}
	}
	for _, d := range s.data.letters {
		if d.Seq <= seq && d.Seq > cp.Seq {
			cp.Seq, cp.MsgID = d.Seq, ""
		}
	}
	return cp, s.failing("last")
}

func (s *fakeStore) After(_ context.Context, seq uint64, f func(message.Record) error) error {
	s.mu.Lock()
	records := s.data.current()
	s.mu.Unlock()
	for _, r := range records {
		r.MsgID, r.RequestID = "", ""
		if r.Seq > seq {
			if err := f(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *fakeStore) StatusesAfter(_ context.Context, seq uint64, f func(message.StatusRecord) error) error {
	s.mu.Lock()
	d := s.data.clone()
	s.mu.Unlock()
	for i, r := range d.statuses {
		if r.Seq > seq && d.statusOfStream[i] == d.status.Checkpoint.StreamID {
			if err := f(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *fakeStore) Rewind(_ context.Context, to message.Checkpoint) (removed int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failing("rewind"); err != nil {
		return 0, err
	}
	d := &s.data
	if d.status.Checkpoint.StreamID == to.StreamID {
		kept := storeData{status: d.status}
		for i, r := range d.records {
			if r.Seq <= to.Seq || d.streams[i] != to.StreamID {
				kept.records, kept.streams = append(kept.records, r), append(kept.streams, d.streams[i])
			}
		}
		for _, l := range d.letters {
			if l.Seq <= to.Seq {
				kept.letters = append(kept.letters, l)
			}
		}
		for i, r := range d.statuses {
			if r.Seq <= to.Seq || d.statusOfStream[i] != to.StreamID {
				kept.statuses, kept.statusOfStream = append(kept.statuses, r), append(kept.statusOfStream, d.statusOfStream[i])
			}
		}
		removed = len(d.records) + len(d.letters) + len(d.statuses) - len(kept.records) - len(kept.letters) - len(kept.statuses)
		*d = kept
	}
	d.status.Checkpoint, d.status.AppliedAt = to, time.Time{}
	for _, r := range d.current() {
		if r.Seq == to.Seq {
			d.status.AppliedAt = r.CreatedAt
		}
	}
	return removed, nil
}

func (s *fakeStore) RetryDeadLetters(_ context.Context, seqs []uint64,
	decode func(message.DeadLetter) message.Batch) (done message.Retried, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kept []message.DeadLetter
	for _, l := range s.data.letters {
		b := decode(l)
		if len(b.DeadLetters) > 0 || len(seqs) > 0 && !slices.Contains(seqs, l.Seq) {
			kept = append(kept, l)
			continue
		}
		s.data.apply(b.Records[0], s.data.status.Checkpoint.StreamID, &done.Applied)
	}
	s.data.letters, done.Remaining = kept, kept
	return done, s.failing("retry")
}

func (s *fakeStore) DiscardDeadLetters(_ context.Context, seqs []uint64) (discarded int, unknown []uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.data.letters)
	s.data.letters = slices.DeleteFunc(s.data.letters, func(l message.DeadLetter) bool {
		return len(seqs) == 0 || slices.Contains(seqs, l.Seq)
	})
	return before - len(s.data.letters), nil, s.failing("discard")
}

func (s *fakeStore) Status(context.Context) (message.StoreStatus, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data.status, s.failing("status")
}

func (s *fakeStore) InPlace(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failing("in place")
}

func (s *fakeStore) Close() error { return nil }

func (s *fakeStore) records() []message.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.data.records)
}

func (s *fakeStore) statuses() []message.StatusRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.data.statuses)
}

func (s *fakeStore) rows() []string {
	var rows []string
	for _, r := range s.records() {
		rows = append(rows, fmt.Sprintf("%d:%s=%s", r.Seq, r.ID, *r.Text))
	}
	return rows
}

// rebuilt returns what an empty database has after the stream was
// applied to it, with the time of acceptance.
func rebuilt(s *fakeStream) storeData {
	s.mu.Lock()
	defer s.mu.Unlock()
	var d storeData
	for _, e := range s.entries {
		if e.Seq < s.first {
			continue
		}
		if m, err := message.Unmarshal(e.Data); err == nil {
			d.apply(message.Record{Message: m, Seq: e.Seq, CreatedAt: e.AcceptedAt}, s.id, &message.Applied{})
		} else if status, err := message.UnmarshalStatus(e.Data); err == nil {
			d.applyStatus(message.StatusRecord{Status: status, Seq: e.Seq, CreatedAt: e.AcceptedAt, Source: e.Source}, s.id)
		}
	}
	return d
}

func describeStatuses(statuses []message.StatusRecord) []string {
	var all []string
	for _, r := range statuses {
		all = append(all, fmt.Sprintf("%d %s %s=%s", r.Seq, r.CreatedAt.Format(time.RFC3339Nano), r.MessageID, r.Status.Status))
	}
	return all
}

// describe makes records comparable: place, time, id and text.
func describe(records []message.Record) []string {
	var all []string
	for _, r := range records {
		all = append(all, fmt.Sprintf("%d %s %s=%s", r.Seq, r.CreatedAt.Format(time.RFC3339Nano), r.ID, *r.Text))
	}
	return all
}
