package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"sluice/internal/httpapi"
	"sluice/internal/ingest"
	"sluice/internal/ops"
	"sluice/internal/query"
	"sluice/internal/source"
	"sluice/pkg/contract"
	"sluice/pkg/message"
	"sluice/pkg/signature"
)

// patience bounds what a test waits for.
const patience = 10 * time.Second

// pipe is a Publisher, a Reader and a Stream in memory: what is published can be
// read at once.
type pipe struct {
	mu      sync.Mutex
	entries []message.Entry
	seqs    map[string]uint64
	asked   message.PageRequest // for a page, last

	publishErr error
	hold       chan struct{} // publishes wait until it is closed
	waiting    int           // so many do
	readErr    error
	lag        uint64 // how far the database is behind
	page       message.Page
	stretch    func(message.StretchRequest) (message.Stretch, error)
	stats      message.Stats
	letters    []message.DeadLetter
	panics     bool
}

func (p *pipe) Publish(ctx context.Context, e message.Entry) (message.Receipt, error) {
	if err := p.held(ctx); err != nil {
		return message.Receipt{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.publishErr != nil {
		return message.Receipt{}, p.publishErr
	}
	if seq := p.seqs[e.MsgID]; seq > 0 {
		return message.Receipt{Seq: seq, Duplicate: true}, nil
	}
	p.entries = append(p.entries, e)
	seq := uint64(len(p.entries))
	p.seqs[e.MsgID] = seq
	return message.Receipt{Seq: seq}, nil
}

func (p *pipe) PublishAll(ctx context.Context, entries []message.Entry) (receipts []message.Receipt, err error) {
	for _, e := range entries {
		r, err := p.Publish(ctx, e)
		if err != nil {
			return nil, err
		}
		receipts = append(receipts, r)
	}
	return receipts, nil
}

func (p *pipe) held(ctx context.Context) error {
	p.mu.Lock()
	hold := p.hold
	p.waiting++
	p.mu.Unlock()
	defer p.change(func() { p.waiting-- })
	if hold == nil {
		return nil
	}
	select {
	case <-hold:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// acceptedAt is when the stream accepts everything.
var acceptedAt = time.Date(2025, 1, 15, 10, 0, 1, 23_000_000, time.UTC)

func (p *pipe) Messages(_ context.Context, r message.PageRequest) (message.Page, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.panics {
		panic("of the reader")
	}
	p.asked = r
	page := p.page
	page.Applied = p.applied()
	return page, p.readErr
}

func (p *pipe) Stretch(_ context.Context, r message.StretchRequest) (message.Stretch, error) {
	p.mu.Lock()
	f, err, st := p.stretch, p.readErr, message.Stretch{Applied: p.applied()}
	p.mu.Unlock()
	if f != nil {
		return f(r)
	}
	return st, err
}

func (p *pipe) Message(_ context.Context, id string) (message.Detail, uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.readErr != nil {
		return message.Detail{}, 0, p.readErr
	}
	for i, e := range p.entries {
		if m, err := message.Unmarshal(e.Data); err == nil && m.ID == id {
			return message.Detail{Record: message.Record{Message: m, Seq: uint64(i + 1), Source: e.Source, CreatedAt: acceptedAt}}, p.applied(), nil
		}
	}
	return message.Detail{}, 0, message.ErrNotFound
}

func (p *pipe) applied() uint64 { return uint64(len(p.entries)) - p.lag }

func (p *pipe) Stats(context.Context) (message.Stats, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	stats := p.stats
	stats.Applied = p.applied()
	return stats, p.readErr
}

func (p *pipe) Arrivals(_ context.Context, r message.ArrivalsRequest) (message.Arrivals, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := message.Arrivals{Seq: p.applied(), Applied: p.applied()}
	for i, e := range p.entries[min(r.After, uint64(len(p.entries))):] {
		if r.Last && i >= r.Limit {
			a.Passed++
			continue
		}
		m, err := message.Unmarshal(e.Data)
		if err != nil {
			return a, err
		}
		a.Records = append(a.Records, message.Record{Message: m, Seq: r.After + uint64(i+1), Source: e.Source, CreatedAt: acceptedAt})
	}
	return a, p.readErr
}

func (p *pipe) Timeline(_ context.Context, _ string, instants []time.Time) (message.Timeline, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return message.Timeline{Counts: make([]int64, len(instants)-1), Applied: p.applied()}, p.readErr
}

func (p *pipe) DeadLetters(_ context.Context, f func(message.DeadLetter) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.letters {
		if err := f(d); err != nil {
			return err
		}
	}
	return p.readErr
}

func (p *pipe) Status(context.Context) (message.StoreStatus, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return message.StoreStatus{
		Checkpoint: message.Checkpoint{StreamID: "S@1", Seq: p.applied()}, AppliedAt: acceptedAt, DeadLetters: 2,
		Bytes: 4096, WALBytes: 512, Outcomes: message.Outcomes{Inserted: 5, Duplicates: 3, Conflicts: 1, DeadLetters: 2},
	}, p.readErr
}

func (p *pipe) Applied(context.Context) (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.applied(), p.readErr
}

func (p *pipe) WriterPresent() bool { return true }

func (p *pipe) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// stream is what the pipeline asks of the stream.
type stream struct{ *pipe }

func (s stream) Status(context.Context) (message.StreamStatus, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := uint64(len(s.entries))
	return message.StreamStatus{
		StreamState: message.StreamState{ID: "S@1", First: 1, Last: last}, Messages: last, Bytes: 300, MaxBytes: 1 << 30,
		Writers: []message.WriterStatus{{Name: "copy", Acked: last}},
	}, s.publishErr
}

func (s stream) FirstFrom(_ context.Context, seq uint64) (message.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq == 0 || seq > uint64(len(s.entries)) {
		return message.Entry{}, message.ErrNoEntry
	}
	e := s.entries[seq-1]
	e.Seq, e.AcceptedAt = seq, acceptedAt
	return e, nil
}

// health is a Health.
type health map[string]string

func (h health) Report(_ context.Context, side ops.Side) (bool, map[string]string) {
	checks := map[string]string{}
	ready := true
	for name, result := range h {
		if side == "" || strings.HasPrefix(name, string(side)) {
			checks[name] = result
			ready = ready && result == "ok"
		}
	}
	return ready, checks
}

// lines is a log.
type lines struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// requests returns the lines of the access log.
func (l *lines) requests(t *testing.T) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(l.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		if fields["msg"] == "request" {
			all = append(all, fields)
		}
	}
	return all
}

type api struct {
	*pipe
	t       *testing.T
	health  health
	metrics *metrics.Set
	log     *lines
	server  *httpapi.Server
	addr    string
	client  *http.Client
	served  chan error
}

const secret = "testsecret"

// start serves on a port of its own until the test ends.
func start(t *testing.T, change ...func(*httpapi.Config)) *api {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, ln, change...)
}

// readWait is as long as nobody waits in a test that passes, but for the one that
// waits in vain.
const readWait = time.Second

// startOn serves on ln until the test ends.
func startOn(t *testing.T, ln net.Listener, change ...func(*httpapi.Config)) *api {
	t.Helper()
	a := &api{
		t: t, pipe: &pipe{seqs: map[string]uint64{}}, health: health{"ingest_stream": "ok", "query_database": "ok"},
		metrics: metrics.NewSet(), log: &lines{}, served: make(chan error, 1),
	}
	plain := source.NewPlain(source.Secrets{Current: secret, Previous: "oldsecret"})
	acceptor := ingest.New(ingest.Config{Publisher: a.pipe, Sources: []source.Source{plain}, Metrics: a.metrics, Now: time.Now})
	cfg := httpapi.Config{
		Acceptor:     acceptor,
		Sources:      []source.Source{plain},
		Query:        query.New(query.Config{Reader: a.pipe, Acked: acceptor.Acked, ReadWait: readWait}),
		Pipeline:     query.NewPipeline(query.PipelineConfig{Stream: stream{a.pipe}, Reader: a.pipe, WriterName: "writer", Now: func() time.Time { return acceptedAt.Add(1500 * time.Millisecond) }}),
		Health:       a.health,
		WriteMetrics: func(w io.Writer) { a.metrics.WritePrometheus(w) },
		Log:          slog.New(slog.NewJSONHandler(a.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics:      a.metrics,
	}
	for _, f := range change {
		f(&cfg)
	}
	a.server = httpapi.New(cfg)
	a.addr = ln.Addr().String()
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	a.client = &http.Client{Transport: transport, Timeout: patience}
	go func() { a.served <- a.server.Serve(ln) }()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := a.server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return a
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a *api) do(method, target, body string, header ...string) answer {
	a.t.Helper()
	r, err := http.NewRequest(method, "http://"+a.addr+"/", strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	r.URL.Opaque = "//" + a.addr + target // as it is, without cleaning
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := a.client.Do(r)
	if err != nil {
		a.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	got := answer{resp.StatusCode, resp.Header, string(data)}
	a.checkAnswer(method, target, got)
	return got
}

func (a *api) get(target string, header ...string) answer {
	a.t.Helper()
	return a.do("GET", target, "", header...)
}

func (a *api) post(body string, header ...string) answer {
	a.t.Helper()
	return a.do("POST", contract.PathWebhook, body, header...)
}

func sign(body string) string { return signature.NewHexHMAC(secret).Sign([]byte(body)) }

func (a *api) postSigned(body string, header ...string) answer {
	a.t.Helper()
	return a.post(body, append(header, signature.HexHMACHeader, sign(body))...)
}

// delivery is a valid body.
func delivery(id string) string {
	quoted, _ := json.Marshal(id)
	return fmt.Sprintf(`{"message_id":%s,"from":"+919876543210","to":"+14155550100","ts":"2025-01-15T10:00:00Z","text":"Hello"}`, quoted)
}

// send writes raw bytes on a connection of its own and returns it.
func (a *api) send(raw string) (net.Conn, *bufio.Reader) {
	a.t.Helper()
	c, err := net.Dial("tcp", a.addr)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		a.t.Fatal(err)
	}
	if _, err := io.WriteString(c, raw); err != nil {
		a.t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

// next reads one answer.
func next(t *testing.T, r *bufio.Reader) answer {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Close {
		resp.Header.Set("Connection", "close")
	}
	return answer{resp.StatusCode, resp.Header, string(data)}
}

// ended checks that the server ends the connection.
func ended(t *testing.T, r *bufio.Reader) {
	t.Helper()
	if b, err := r.ReadByte(); err != io.EOF && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the connection goes on: %q, %v", b, err)
	}
}

// counts checks lines of the metrics page. They are counted after the answer has
// gone, so they may take a moment.
func (a *api) counts(want ...string) {
	a.t.Helper()
	var page string
	eventually(a.t, func() bool {
		var b strings.Builder
		a.metrics.WritePrometheus(&b)
		page = b.String()
		for _, line := range want {
			if !strings.Contains(page, line+"\n") {
				return false
			}
		}
		return true
	}, func() string { return fmt.Sprintf("want %q in\n%s", want, page) })
}

// eventually waits until something holds.
func eventually(t *testing.T, holds func() bool, otherwise func() string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(otherwise())
		}
	}
}
