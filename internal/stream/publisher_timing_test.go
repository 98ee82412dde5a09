package stream_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"sluice/internal/stream"
	"sluice/internal/stream/streamtest"
)

// BenchmarkPublish publishes entries of about 250 bytes in-process, not durable:
// what the client and the server cost without a disk.
func BenchmarkPublish(b *testing.B) {
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			p := streamtest.Start(b).Publisher(b, stream.PublisherConfig{})
			b.ResetTimer()
			publishAll(b, p, b.N, callers)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// BenchmarkPublishDurable is BenchmarkPublish with a shared sync before each
// answer. It measures the disk of TMPDIR.
func BenchmarkPublishDurable(b *testing.B) {
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			p := durable(b, streamtest.Start(b))
			b.ResetTimer()
			publishAll(b, p, b.N, callers)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// fill publishes n entries as fast as it can.
func fill(b *testing.B, p *stream.Publisher, n int) { publishAll(b, p, n, 256) }

func publishAll(b *testing.B, p *stream.Publisher, n, callers int) {
	ctx := within(b)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				if _, err := p.Publish(ctx, streamtest.Entry(int(i))); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
