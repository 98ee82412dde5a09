package httpapi

import (
	"github.com/gofiber/fiber/v2"

	"sluice/internal/query"
	"sluice/pkg/contract"
)

// getStats answers GET /stats.
func (s *Server) getStats(c *fiber.Ctx) error {
	afterSeq, err := query.ParseAfter(rawQuery(c))
	if err != nil {
		return err
	}
	stats, err := s.cfg.Query.Stats(s.base, afterSeq)
	if err != nil {
		return err
	}
	setApplied(c, stats.Applied)
	return answer(c, contract.NewStats(&stats))
}
