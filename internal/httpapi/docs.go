package httpapi

import (
	"github.com/gofiber/fiber/v2"

	"sluice/internal/ui"
	"sluice/pkg/contract"
	"sluice/pkg/message"
)

// getDocs answers GET /docs and its files, which try the API out.
func (s *Server) getDocs(c *fiber.Ctx) error {
	file, ok := ui.DocsFile(c.Params("name"))
	if !ok {
		return message.ErrNotFound
	}
	c.Set(fiber.HeaderContentSecurityPolicy, ui.DocsPolicy)
	return answerFile(c, file)
}

// getOpenAPI answers GET /openapi.json.
func (s *Server) getOpenAPI(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentType, contract.TypeJSON)
	c.Context().Response.SetBodyRaw(contract.OpenAPI)
	return nil
}
