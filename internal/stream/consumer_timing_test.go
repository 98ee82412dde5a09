package stream_test

import (
	"testing"
	"time"

	"sluice/internal/stream"
	"sluice/internal/stream/streamtest"
)

// BenchmarkFetch reads entries of about 250 bytes over TCP; ns/op is the cost of
// one entry.
func BenchmarkFetch(b *testing.B) {
	s := streamtest.Start(b)
	fill(b, s.Publisher(b, stream.PublisherConfig{}), b.N)
	c := s.Consumer(b, "writer")
	begin(b, c, 0)
	b.ResetTimer()
	for got := 0; got < b.N; {
		entries, err := c.Fetch(within(b), 10_000, 5*time.Millisecond)
		if err != nil {
			b.Fatal(err)
		}
		got += len(entries)
		if err := c.Ack(within(b), entries[len(entries)-1].Seq); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}
