package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"sluice/pkg/contract"
)

// answer answers 200 with body as JSON.
func answer(c *fiber.Ctx, body any) error {
	answerJSON(c.Context(), fiber.StatusOK, contract.TypeJSON, body)
	return nil
}

func answerJSON(c *fasthttp.RequestCtx, status int, mediaType string, body any) {
	c.Response.SetStatusCode(status)
	c.Response.Header.SetContentType(mediaType)
	c.Response.SetBodyRaw(encode(body))
}

// encode writes one of contract's bodies. Markup in it stays as it is: it is JSON,
// and says so.
func encode(body any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		panic(fmt.Sprintf("httpapi: %T has JSON: %v", body, err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// setApplied tells how far the database was.
func setApplied(c *fiber.Ctx, seq uint64) {
	c.Set(contract.HeaderAppliedSequence, strconv.FormatUint(seq, 10))
}
