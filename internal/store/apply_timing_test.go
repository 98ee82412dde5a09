package store

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"sluice/pkg/message"
)

// traffic is what a benchmark applies.
type traffic struct {
	name        string
	orderedIDs  bool          // else random, as UUIDs of version 4
	scatter     time.Duration // timestamps lie anywhere within this before now; 0 for in order
	senders     int
	recipients  int
	duplicateIn int // one of so many entries repeats an earlier one, of any age; 0 for none
}

var traffics = []traffic{
	{name: "random_ids", senders: 100_000, recipients: 20},
	{name: "ordered_ids", senders: 100_000, recipients: 20, orderedIDs: true},
	{name: "scattered_ts", senders: 100_000, recipients: 20, scatter: 365 * 24 * time.Hour},
	{name: "few_senders", senders: 100, recipients: 2},
	{name: "many_senders", senders: 1_000_000, recipients: 1_000_000},
	{name: "late_duplicates", senders: 100_000, recipients: 20, duplicateIn: 10},
}

// source makes entries of a traffic. The same number always gives the same entry.
type source struct {
	traffic
	seq uint64
}

var epoch = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

func (s *source) message(n uint64) message.Message {
	g := rand.New(rand.NewPCG(n, 7))
	a, b := g.Uint64(), g.Uint64()
	if s.orderedIDs {
		a = n<<16 | a&0xffff
	}
	at := epoch.Add(time.Duration(n) * 11 * time.Microsecond)
	if s.scatter > 0 {
		at = at.Add(-time.Duration(g.Int64N(int64(s.scatter))))
	}
	text := fmt.Sprintf("order %d: %s", g.IntN(1_000_000), benchmarkTexts[g.IntN(len(benchmarkTexts))])
	return message.Message{
		ID:   fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&0xffffffffffff),
		From: fmt.Sprintf("+9198%08d", g.IntN(s.senders)),
		To:   fmt.Sprintf("+1415%07d", g.IntN(s.recipients)),
		TS:   at.Format("2006-01-02T15:04:05.000000Z"),
		Text: &text,
	}
}

var benchmarkTexts = []string{
	"Thank you, when will it arrive?", "Payment received", "Please call me back as soon as you can",
	"The parcel was damaged", "Is there any news?", "Danke, alles gut angekommen", "¿Dónde está mi pedido?",
}

// batch makes the next n entries.
func (s *source) batch(n int) message.Batch {
	b := message.Batch{Records: make([]message.Record, n)}
	for i := range b.Records {
		s.seq++
		number := s.seq
		if s.duplicateIn > 0 && number%uint64(s.duplicateIn) == 0 {
			number = 1 + rand.New(rand.NewPCG(number, 3)).Uint64N(number)
		}
		m := s.message(number)
		b.Records[i] = message.Record{Message: m, Seq: s.seq, CreatedAt: epoch.Add(time.Duration(s.seq) * 11 * time.Microsecond), Source: "plain"}
	}
	b.Checkpoint = message.Checkpoint{StreamID: "WEBHOOKS@1", Seq: s.seq, MsgID: b.Records[n-1].ID}
	return b
}

// benchmarkBatch is the writer's batch while it catches up.
const benchmarkBatch = 10_000

// BenchmarkApply applies b.N entries to a new database and tells the rows a
// second of the whole, of its first and of its last tenth: run it with
// -benchtime=3000000x, say. Making the entries is not counted, syncing is.
func BenchmarkApply(b *testing.B) {
	for _, t := range traffics {
		b.Run(t.name, func(b *testing.B) {
			s := openStore(b, Config{Path: filepath.Join(b.TempDir(), "app.db")})
			benchmarkApply(b, s, &source{traffic: t})
		})
	}
}

func benchmarkApply(b *testing.B, s *Store, src *source) {
	b.Helper()
	var took, slowest, cpu time.Duration
	tenths := make([]time.Duration, 10)
	for done := 0; done < b.N; {
		batch := src.batch(min(benchmarkBatch, b.N-done))
		start, startCPU := time.Now(), cpuTime()
		apply(b, s, batch)
		if err := s.Sync(b.Context()); err != nil {
			b.Fatal(err)
		}
		d := time.Since(start)
		cpu += cpuTime() - startCPU
		took += d
		slowest = max(slowest, d)
		tenths[done*10/b.N] += d
		done += len(batch.Records)
	}
	rows := float64(b.N)
	b.ReportMetric(rows/took.Seconds(), "rows/s")
	b.ReportMetric(float64(cpu.Nanoseconds())/1000/rows, "cpu-us/row")
	b.ReportMetric(rows/10/tenths[0].Seconds(), "first/s")
	b.ReportMetric(rows/10/tenths[9].Seconds(), "last/s")
	b.ReportMetric(float64(slowest.Milliseconds()), "slowest-ms")
	st, err := s.Status(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(st.Bytes)/rows, "bytes/row")
	b.ReportMetric(0, "ns/op")
}

// cpuTime is what this process has had of the processors: other work on the
// machine disturbs it less than the time that passes.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
