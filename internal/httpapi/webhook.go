package httpapi

import (
	"errors"
	"strconv"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"sluice/internal/ingest"
	"sluice/internal/source"
	"sluice/pkg/contract"
)

var okBody = encode(contract.Status{Status: "ok"})

// postWebhook takes deliveries of one source.
func (s *Server) postWebhook(src source.Source) fiber.Handler {
	mediaType, answer := accepted(src)
	most := s.cfg.MaxBodyBytes
	if limit, ok := s.cfg.BodyLimits[src.Name()]; ok {
		most = min(most, int(limit))
	}
	return func(c *fiber.Ctx) error {
		x := exchangeOf(c.Context())
		x.webhook = true
		body, err := s.readBody(c.Context(), x, most)
		if err != nil {
			s.refuseDelivery(c.Context(), src, x, err)
			return err
		}
		defer body.release()

		outcome, err := s.cfg.Acceptor.Accept(s.base, ingest.Delivery{
			Source:    src,
			Header:    func(name string) string { return c.Get(name) },
			Target:    c.OriginalURL(),
			Body:      body.bytes,
			RequestID: x.requestID,
			Trace:     x.trace,
		})
		x.result, x.messageID = outcome.Result, outcome.MessageID
		x.entries, x.duplicates = len(outcome.Receipts), outcome.Duplicates()
		if err != nil {
			s.reject(c.Context(), x, src, err)
			return err
		}
		response := c.Response()
		response.Header.Set(contract.HeaderStreamSequence, strconv.FormatUint(outcome.Seq(), 10))
		response.Header.SetContentType(mediaType)
		response.SetBodyRaw(answer)
		return nil
	}
}

// accepted returns what a sender hears when all went well.
func accepted(src source.Source) (mediaType string, body []byte) {
	if own, ok := src.(source.Answerer); ok {
		mediaType, text := own.Answer()
		return mediaType, []byte(text)
	}
	return contract.TypeJSON, okBody
}

// errNoHandshake is what became of a handshake by who does not know the token.
var errNoHandshake = errors.New("hub.mode or hub.verify_token is not what it should be")

// getHandshake answers a sender that asks before it sends. The answer is its own
// words, so no browser may take it for anything but text.
func (s *Server) getHandshake(src source.Handshaker) fiber.Handler {
	return func(c *fiber.Ctx) error {
		answer, ok := src.Handshake(func(name string) string { return c.Query(name) })
		if !ok {
			return errNoHandshake
		}
		setSecurityHeaders(&c.Response().Header)
		c.Response().Header.SetContentType("text/plain; charset=utf-8")
		c.Response().SetBodyString(answer)
		return nil
	}
}

// refuseDelivery counts and keeps a delivery whose body was not read.
func (s *Server) refuseDelivery(c *fasthttp.RequestCtx, src source.Source, x *exchange, err error) {
	switch {
	case errors.Is(err, errTooLarge):
		x.result = ingest.TooLarge
	case errors.Is(err, errNoRoom):
		x.result = ingest.Unavailable
	default:
		x.webhook = false // it never became a delivery: the sender went away or stalled
		return
	}
	s.cfg.Acceptor.Refused(src, x.result)
	s.reject(c, x, src, err)
}
