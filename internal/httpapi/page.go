package httpapi

import (
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"sluice/internal/ui"
	"sluice/pkg/message"
)

// getPage answers GET / with the operator's page.
func (s *Server) getPage(c *fiber.Ctx) error {
	page := ui.Page(s.cfg.Guard != nil)
	c.Set(fiber.HeaderContentSecurityPolicy, ui.PagePolicy)
	return answerFile(c, page)
}

// getAsset answers with one of the files that the page is made of.
func (s *Server) getAsset(c *fiber.Ctx) error {
	file, ok := ui.Asset(c.Params("name"))
	if !ok {
		return message.ErrNotFound
	}
	return answerFile(c, file)
}

// answerFile lets a browser keep the file, which asks each time whether it is
// still the same one: no page is ever put together from two versions.
func answerFile(c *fiber.Ctx, f ui.File) error {
	h := &c.Context().Response.Header
	h.Set(fasthttp.HeaderCacheControl, "private, no-cache")
	h.Set(fasthttp.HeaderETag, f.ETag)
	if strings.Contains(c.Get(fasthttp.HeaderIfNoneMatch), f.ETag) {
		c.Context().Response.SetStatusCode(http.StatusNotModified)
		return nil
	}
	h.SetContentType(f.Type)
	body := f.Body
	if f.Packed {
		h.Set(fasthttp.HeaderVary, fasthttp.HeaderAcceptEncoding)
		if c.Context().Request.Header.HasAcceptEncoding("gzip") {
			h.Set(fasthttp.HeaderContentEncoding, "gzip")
		} else {
			var err error
			if body, err = f.Unpacked(); err != nil {
				return err
			}
			h.Del(fasthttp.HeaderETag) // which is the packed one's
		}
	}
	c.Context().Response.SetBodyRaw(body)
	return nil
}
