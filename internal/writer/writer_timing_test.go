package writer_test

import (
	"fmt"
	"testing"
	"time"

	"sluice/internal/stream"
	"sluice/internal/writer"
	"sluice/pkg/message"
)

// BenchmarkCatchUp measures how fast a writer applies what a stream holds: one
// operation is one message.
func BenchmarkCatchUp(b *testing.B) {
	const batch = 100_000 // entries made at a time
	r := newReal(b)
	p := r.server.Publisher(b, stream.PublisherConfig{})
	for made := 0; made < b.N; made += batch {
		var all []message.Entry
		for n := range min(batch, b.N-made) {
			text := fmt.Sprintf("message %d of a burst, of a usual length", made+n)
			id := fmt.Sprintf("%08x-%d", uint32(made+n)*2654435761, made+n)
			m := message.Message{ID: id, From: fmt.Sprintf("+9198765%05d", (made+n)%10_000), To: "+14155550100",
				TS: time.Unix(1_700_000_000+int64(made+n)/1000, 0).UTC().Format(time.RFC3339), Text: &text}
			data, err := message.Marshal(&m)
			if err != nil {
				b.Fatal(err)
			}
			all = append(all, message.Entry{MsgID: id, Source: "plain", Data: data})
		}
		r.publish(p, all...)
	}
	b.ResetTimer()
	stop := r.start(writer.Config{})
	r.wait(r.reader())
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	stop()
}
