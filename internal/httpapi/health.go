package httpapi

import (
	"github.com/gofiber/fiber/v2"

	"sluice/internal/ops"
	"sluice/pkg/contract"
)

// getLive answers GET /health/live: the process turns.
func (s *Server) getLive(c *fiber.Ctx) error {
	return answer(c, contract.Status{Status: "ok"})
}

// getReady answers for one side of the process, for both when side is empty.
func (s *Server) getReady(side ops.Side) fiber.Handler {
	return func(c *fiber.Ctx) error {
		ready, checks := s.cfg.Health.Report(s.base, side)
		if ready {
			return answer(c, contract.Readiness{Status: "ready", Checks: checks})
		}
		answerJSON(c.Context(), fiber.StatusServiceUnavailable, contract.TypeJSON, contract.Readiness{Status: "not ready", Checks: checks})
		return nil
	}
}

// getMetrics answers GET /metrics.
func (s *Server) getMetrics(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentType, ops.MetricsContentType)
	s.cfg.WriteMetrics(c)
	return nil
}
