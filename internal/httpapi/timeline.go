package httpapi

import (
	"github.com/gofiber/fiber/v2"

	"sluice/internal/query"
	"sluice/pkg/contract"
)

// getTimeline answers GET /stats/timeline.
func (s *Server) getTimeline(c *fiber.Ctx) error {
	q, err := query.ParseTimeline(rawQuery(c))
	if err != nil {
		return err
	}
	buckets, applied, err := s.cfg.Query.Timeline(s.base, q)
	if err != nil {
		return err
	}
	body := contract.Timeline{Unit: q.Unit, Buckets: make([]contract.TimelineBucket, len(buckets))}
	for i, b := range buckets {
		body.Buckets[i] = contract.TimelineBucket{Start: contract.Instant(b.Start), Count: b.Count}
	}
	setApplied(c, applied)
	return answer(c, body)
}
