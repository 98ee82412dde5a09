package httpapi

import (
	"math"
	"time"

	"github.com/gofiber/fiber/v2"

	"sluice/internal/query"
	"sluice/pkg/contract"
)

// getPipeline answers GET /pipeline. It is always a 200: whoever asks in trouble
// wants what can still be seen.
func (s *Server) getPipeline(c *fiber.Ctx) error {
	status := s.cfg.Pipeline.Status(s.base)
	if status.StoreErr == nil {
		setApplied(c, status.Store.Checkpoint.Seq)
	}
	return answer(c, newPipeline(&status))
}

func newPipeline(s *query.PipelineStatus) contract.Pipeline {
	p := contract.Pipeline{
		Stream:   pipelineStream(s),
		Database: pipelineDatabase(s),
		Writers:  make([]contract.PipelineWriter, len(s.Writers)),
	}
	for i := range s.Writers {
		p.Writers[i] = pipelineWriter(&s.Writers[i])
	}
	if s.StreamErr == nil {
		p.Rates.AcceptedPerSecond = rounded(s.AcceptedPerSecond)
	}
	if s.StoreErr == nil {
		p.Rates.AppliedPerSecond = rounded(s.AppliedPerSecond)
		p.DeadLetters = &s.Store.DeadLetters
	}
	return p
}

func pipelineStream(s *query.PipelineStatus) contract.PipelineStream {
	if s.StreamErr != nil {
		return contract.PipelineStream{Detail: s.StreamErr.Error()}
	}
	p := contract.PipelineStream{
		Available:     true,
		FirstSequence: &s.Stream.First,
		LastSequence:  &s.Stream.Last,
		Messages:      &s.Stream.Messages,
		Missing:       &s.Stream.Missing,
		Bytes:         &s.Stream.Bytes,
		Full:          &s.Stream.Full,
	}
	if s.Stream.MaxBytes > 0 {
		p.MaxBytes = &s.Stream.MaxBytes
	}
	return p
}

func pipelineDatabase(s *query.PipelineStatus) contract.PipelineDatabase {
	if s.StoreErr != nil {
		return contract.PipelineDatabase{Detail: s.StoreErr.Error()}
	}
	p := contract.PipelineDatabase{
		Available:       true,
		AppliedSequence: &s.Store.Checkpoint.Seq,
		Bytes:           &s.Store.Bytes,
		WALBytes:        &s.Store.WALBytes,
		Entries: &contract.PipelineEntries{
			Inserted:    s.Store.Outcomes.Inserted,
			Duplicates:  s.Store.Outcomes.Duplicates,
			Conflicts:   s.Store.Outcomes.Conflicts,
			DeadLetters: s.Store.Outcomes.DeadLetters,
		},
	}
	if !s.Store.AppliedAt.IsZero() {
		at := contract.Instant(s.Store.AppliedAt)
		p.AppliedAt = &at
	}
	return p
}

func pipelineWriter(w *query.WriterStatus) contract.PipelineWriter {
	p := contract.PipelineWriter{Name: w.Name, AppliedSequence: w.Applied}
	if w.Local {
		p.Running = &w.Present
	}
	if w.LagKnown {
		p.LagEntries = &w.LagEntries
		p.LagSeconds = rounded(w.Lag.Round(time.Millisecond).Seconds())
	}
	return p
}

// rounded keeps three digits behind the point.
func rounded(f float64) *float64 {
	f = math.Round(f*1000) / 1000
	return &f
}
