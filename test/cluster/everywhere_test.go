package cluster

import (
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"sluice/internal/stream"
	"sluice/pkg/contract"
	"sluice/test/harness"
	"sluice/test/load"
	"sluice/test/nodes"
)

// TestEverywhere: whichever api is asked, it is the same stream.
func TestEverywhere(t *testing.T) {
	t.Parallel()
	c := newEmbedded(t, map[string]string{"ACK_DURABILITY": "fsync", "READ_WAIT": "20s"})
	c.Start()
	c.Leader()

	var last uint64
	payload := load.Payload{}.WithDefaults()
	for i, p := range c.Pipelines {
		m := payload.Message(uint64(i))
		last = p.Post(m)
		for j, other := range c.Pipelines {
			if res := other.PostBody(load.Body(m)); res.Status != http.StatusOK || res.Sequence() != last {
				t.Errorf("a message of api %d, repeated to api %d: %d, sequence %d, want %d", i+1, j+1, res.Status, res.Sequence(), last)
			}
			if res := other.Get(fmt.Sprintf("%s?after=%d", harness.MessagePath(m.ID), last)); res.Status != http.StatusOK {
				t.Errorf("a message of api %d, read from api %d after %d: %d %s", i+1, j+1, last, res.Status, res.Body)
			}
		}
	}

	for i, p := range c.Pipelines {
		harness.Eventually(t, fmt.Sprintf("three writers without a lag, as api %d sees them", i+1), func() bool {
			var seen contract.Pipeline
			p.Decode("/pipeline", &seen)
			for _, writer := range seen.Writers {
				if writer.AppliedSequence != last {
					return false
				}
			}
			return len(seen.Writers) == nodes.Size
		})
		if got := p.APIMetrics()["sluice_stream_last_sequence"]; got != float64(last) {
			t.Errorf("api %d shows %v as the stream's last sequence, want %d", i+1, got, last)
		}
	}
	c.trimEverywhere(last)
}

// trimEverywhere has each node trim at the same time: what all writers have is cut
// off once, and the last entry stays.
func (c *cluster) trimEverywhere(last uint64) {
	c.t.Helper()
	harness.Eventually(c.t, "the writers' acknowledgements, and a stream cut before its last entry", func() bool {
		var all sync.WaitGroup
		for _, p := range c.Pipelines {
			all.Go(func() {
				conn, err := stream.Connect(stream.ConnConfig{URL: p.NATS, Token: harness.Token}, slog.New(slog.DiscardHandler))
				if err != nil {
					c.t.Error(err)
					return
				}
				defer conn.Close()
				if err := conn.Wait(c.t.Context()); err != nil {
					c.t.Error(err)
					return
				}
				now := func() time.Time { return time.Now().Add(time.Hour) } // past any retention
				_, err = stream.NewTrimmer(conn, stream.TrimmerConfig{}, now, slog.New(slog.DiscardHandler)).Trim(c.t.Context())
				if err != nil {
					c.t.Logf("trim: %v", err)
				}
			})
		}
		all.Wait()
		s, err := c.JS.Stream(c.t.Context(), stream.Name)
		return err == nil && s.CachedInfo().State.FirstSeq == last && s.CachedInfo().State.LastSeq == last
	})
}
