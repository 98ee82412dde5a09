package httpapi

import (
	"bytes"
	"io"
	"net"
	"time"

	"github.com/gofiber/fiber/v2"

	"sluice/internal/query"
	"sluice/pkg/message"
)

// getExport answers GET /messages.ndjson and /messages.csv: every match, piece by
// piece as the client takes them.
func (s *Server) getExport(format exportFormat) fiber.Handler {
	return func(c *fiber.Ctx) error {
		q, err := query.ParseExport(rawQuery(c))
		if err != nil {
			return err
		}
		export, first, err := s.cfg.Query.Export(s.base, q)
		if err != nil {
			return err
		}
		body := &exportBody{
			server: s, export: export, format: format,
			conn: c.Context().Conn(), requestID: exchangeOf(c.Context()).requestID,
			ended: c.Method() == fiber.MethodHead, // nobody reads it
		}
		format.head(&body.piece)
		if err := body.add(first); err != nil {
			return err
		}
		setApplied(c, export.Applied())
		c.Set(fiber.HeaderContentType, format.mediaType)
		c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+format.fileName+`"`)
		c.Context().SetBodyStream(body, -1)
		if body.ended {
			// fasthttp writes the line that ends a chunked body even where there is
			// none (http.go, writeBodyStream), which would be taken for an answer.
			c.Context().SetConnectionClose()
		}
		return nil
	}
}

// exportBody is the body of an export. fasthttp reads it after the handler has
// returned, as fast as the client takes it, and closes it at the end or when the
// client has gone.
type exportBody struct {
	server    *Server
	export    *query.Export
	format    exportFormat
	conn      net.Conn
	requestID string

	piece  bytes.Buffer // encoded, not yet read
	rows   int
	ended  bool
	failed error
}

// Read is part of io.Reader. After an error fasthttp ends the connection without
// the end of the body, so that the client knows that something is missing.
func (b *exportBody) Read(p []byte) (int, error) {
	for b.piece.Len() == 0 {
		records, err := b.export.Next(b.server.base)
		if err == nil && len(records) == 0 {
			b.ended = true
			return 0, io.EOF
		}
		if err == nil {
			b.piece.Reset()
			err = b.add(records)
		}
		if err != nil {
			b.failed = err
			return 0, err
		}
	}
	// The time for the answer as a whole would cut off who has much to take.
	if err := b.conn.SetWriteDeadline(time.Now().Add(b.server.cfg.WriteTimeout)); err != nil {
		return 0, err
	}
	return b.piece.Read(p)
}

func (b *exportBody) add(records []message.Record) error {
	b.rows += len(records)
	return b.format.rows(&b.piece, records)
}

// Close is part of io.Closer. The access log has told that the export began.
func (b *exportBody) Close() error {
	log := b.server.cfg.Log.With("request_id", b.requestID, "rows", b.rows)
	switch {
	case b.failed != nil:
		log.Error("export cut off", "error", b.failed)
	case b.ended:
		log.Debug("export done")
	default:
		log.Info("export not taken to its end")
	}
	return nil
}
