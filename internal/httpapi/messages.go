package httpapi

import (
	"net/url"

	"github.com/gofiber/fiber/v2"

	"sluice/internal/query"
	"sluice/pkg/contract"
	"sluice/pkg/message"
)

// getMessages answers GET /messages.
func (s *Server) getMessages(c *fiber.Ctx) error {
	q, err := query.ParseMessages(rawQuery(c))
	if err != nil {
		return err
	}
	page, err := s.cfg.Query.Messages(s.base, q)
	if err != nil {
		return err
	}
	data := make([]contract.Message, len(page.Records))
	for i := range page.Records {
		data[i] = contract.NewMessage(&page.Records[i].Message)
	}
	var next *string
	if page.Next != nil {
		cursor := query.Cursor(*page.Next, q.Page.Descending)
		next = &cursor
	}
	setApplied(c, page.Applied)
	return answer(c, contract.MessagePage{
		Data: data, Total: page.Total, Limit: q.Page.Limit, Offset: q.Page.Offset, NextCursor: next,
	})
}

// getMessage answers GET /messages/{message_id}. Whatever the id holds, the path
// behind the prefix is the id, percent-encoded.
func (s *Server) getMessage(c *fiber.Ctx) error {
	id, err := url.PathUnescape(string(rawPath(c.Context())[len(messagePrefix):]))
	if err != nil {
		return message.ErrNotFound
	}
	afterSeq, err := query.ParseAfter(rawQuery(c))
	if err != nil {
		return err
	}
	detail, applied, err := s.cfg.Query.Message(s.base, id, afterSeq)
	if err != nil {
		return err
	}
	setApplied(c, applied)
	return answer(c, contract.NewFullMessage(&detail))
}

// rawQuery returns a copy of the query part of the URL, as it was on the wire.
func rawQuery(c *fiber.Ctx) string { return string(c.Context().URI().QueryString()) }
