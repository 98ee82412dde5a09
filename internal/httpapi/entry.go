package httpapi

import (
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"sluice/pkg/contract"
	"sluice/pkg/message"
)

// getEntry answers GET /entries/{sequence}.
func (s *Server) getEntry(c *fiber.Ctx) error {
	seq, err := strconv.ParseUint(c.Params("sequence"), 10, 64)
	if err != nil {
		return message.ErrNotFound
	}
	e, err := s.cfg.Pipeline.Entry(s.base, seq)
	if err != nil {
		return err
	}
	body := contract.Entry{
		Sequence: e.Seq, AcceptedAt: contract.Instant(e.AcceptedAt), MsgID: e.MsgID, Source: e.Source,
		RequestID: e.RequestID, Trace: e.Trace, Data: strings.ToValidUTF8(string(e.Data), "\uFFFD"),
	}
	if at, ok := s.cfg.Pipeline.StoredBy(seq); ok {
		text := contract.Instant(at)
		body.StoredBy = &text
	}
	return answer(c, body)
}

// historyShown is how far back /pipeline/history goes.
const historyShown = 3 * time.Minute

// getPipelineHistory answers GET /pipeline/history.
func (s *Server) getPipelineHistory(c *fiber.Ctx) error {
	moments := s.cfg.Pipeline.History(historyShown)
	body := contract.PipelineHistory{Moments: make([]contract.PipelineMoment, len(moments))}
	for i, m := range moments {
		body.Moments[i] = contract.PipelineMoment{At: contract.Instant(m.At), AppliedSequence: m.Applied}
		if m.Accepted > 0 {
			body.Moments[i].LastSequence = &m.Accepted
		}
	}
	return answer(c, body)
}
