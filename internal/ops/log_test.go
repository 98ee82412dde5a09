package ops_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"testing/synctest"
	"time"

	"sluice/internal/ops"
)

// pipe is where lines go; it keeps them by write.
type pipe struct {
	mu     sync.Mutex
	writes []string
}

func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes = append(p.writes, string(b))
	return len(b), nil
}

func (p *pipe) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.writes)
}

func (p *pipe) String() string { return strings.Join(p.all(), "") }

func TestNewLogger_isASlogHandler(t *testing.T) {
	var out pipe
	log, flush := ops.NewLogger(&out, slog.LevelInfo)
	results := func() []map[string]any {
		flush()
		var all []map[string]any
		for line := range strings.Lines(out.String()) {
			m := map[string]any{}
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatalf("line %q: %v", line, err)
			}
			if ts, ok := m["ts"]; ok { // slogtest knows slog's own name
				m[slog.TimeKey] = ts
			}
			all = append(all, m)
		}
		return all
	}
	if err := slogtest.TestHandler(log.Handler(), results); err != nil {
		t.Error(err)
	}
}

func TestNewLogger_line(t *testing.T) {
	var out pipe
	log, flush := ops.NewLogger(&out, slog.LevelDebug)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_007_008, time.FixedZone("", 3600))
	record := slog.NewRecord(at, slog.LevelWarn, "a \"quoted\" message\n", 0)
	record.AddAttrs(
		slog.Int("seq", -1), slog.Uint64("first", math.MaxUint64), slog.Float64("ratio", 0.5), slog.Float64("none", math.NaN()),
		slog.Bool("dup", true), slog.Duration("took", 1500*time.Millisecond), slog.Time("at", at),
		slog.Any("error", errors.New("no such file")), slog.Any("list", []string{"a", "b"}), slog.Any("nil", nil),
		slog.Any("odd", struct{ A int }{1}), slog.String("id", "\xff\u2028<é>"), slog.Group("empty", slog.Group("too")),
	)
	if err := log.Handler().Handle(context.Background(), record); err != nil {
		t.Fatal(err)
	}
	flush()
	want := `{"ts":"2026-01-02T02:04:05.006007008Z","level":"WARNING","msg":"a \"quoted\" message\n",` +
		`"seq":-1,"first":18446744073709551615,"ratio":0.5,"none":"NaN",` +
		`"dup":true,"took":"1.5s","at":"2026-01-02T02:04:05.006007008Z",` +
		`"error":"no such file","list":["a","b"],"nil":null,` +
		`"odd":{"A":1},"id":"` + "\ufffd\u2028<é>" + `"}` + "\n"
	if got := out.String(); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestNewLogger_levels(t *testing.T) {
	var out pipe
	log, flush := ops.NewLogger(&out, slog.LevelWarn)
	log.Debug("no")
	log.Info("no")
	log.Warn("yes")
	log.Error("yes")
	flush()
	got := out.String()
	if strings.Contains(got, `"no"`) || !strings.Contains(got, `"WARNING"`) || !strings.Contains(got, `"ERROR"`) {
		t.Errorf("got %s", got)
	}
}

func TestNewLogger_gathersLinesForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out pipe
		log, _ := ops.NewLogger(&out, slog.LevelInfo)
		for round := range 3 {
			log.Info("one")
			log.Info("two")
			synctest.Wait()
			if got := out.all(); len(got) != round {
				t.Fatalf("round %d: written before its time: %q", round, got)
			}
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			if got := out.all(); len(got) != round+1 || strings.Count(got[round], "\n") != 2 {
				t.Fatalf("round %d: got %q", round, got)
			}
		}
	})
}

func TestNewLogger_writesAnErrorAtOnce(t *testing.T) {
	var out pipe
	log, _ := ops.NewLogger(&out, slog.LevelInfo)
	log.Info("before")
	log.Error("now")
	if got := out.String(); strings.Count(got, "\n") != 2 || strings.Index(got, "before") > strings.Index(got, "now") {
		t.Errorf("got %q", got)
	}
}

func TestNewLogger_losesAndPartsNoLine(t *testing.T) {
	const loggers, lines = 8, 3000
	var out pipe
	log, flush := ops.NewLogger(&out, slog.LevelInfo)
	filler := strings.Repeat("x", 100)
	var wg sync.WaitGroup
	for i := range loggers {
		wg.Go(func() {
			for n := range lines {
				log.Info("line", "logger", i, "n", n, "filler", filler)
			}
		})
	}
	wg.Wait()
	flush()

	next := make([]int, loggers)
	for line := range strings.Lines(out.String()) {
		var m struct{ Logger, N int }
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		if m.N != next[m.Logger] {
			t.Fatalf("logger %d: line %d where %d was due", m.Logger, m.N, next[m.Logger])
		}
		next[m.Logger]++
	}
	if got := fmt.Sprint(next); got != fmt.Sprint([]int{lines, lines, lines, lines, lines, lines, lines, lines}) {
		t.Errorf("lines of each logger: %s", got)
	}
}

func BenchmarkLogger(b *testing.B) {
	attrs := []slog.Attr{
		slog.String("request_id", "0123456789abcdef"), slog.String("method", "POST"), slog.String("path", "/webhook"),
		slog.Int("status", 200), slog.Float64("latency_ms", 1.234), slog.String("message_id", "msg-000000123"),
		slog.Bool("dup", false), slog.String("result", "created"),
	}
	run := func(b *testing.B, log *slog.Logger) {
		b.ReportAllocs()
		for b.Loop() {
			log.LogAttrs(context.Background(), slog.LevelInfo, "request", attrs...)
		}
	}
	b.Run("ops", func(b *testing.B) {
		log, _ := ops.NewLogger(io.Discard, slog.LevelInfo)
		run(b, log)
	})
	b.Run("slog", func(b *testing.B) {
		rename := func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				a.Key = "ts"
			}
			return a
		}
		run(b, slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{ReplaceAttr: rename})))
	})
}
