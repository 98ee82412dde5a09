package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"sluice/pkg/contract"
	"sluice/pkg/message"
	"sluice/pkg/signature"
)

// Receipt is what a delivery that was answered 200 is worth: its messages are kept.
type Receipt struct {
	Sequence  uint64 // the highest of its messages' sequences, for After
	RequestID string // the same as in the server's log
	Attempts  int    // how often it was sent
}

// errNoSecret is why nothing can be signed.
var errNoSecret = errors.New("client: Send needs Config.Secret")

// Send signs a message and delivers it to /webhook. After nil it is on the server's
// disk, and a repeat of its id changes nothing. The error is an *Error when the server
// refused it for good, say for a field that breaks its rule. Any other error leaves
// open whether it arrived: sending the same again settles it.
func (c *Client) Send(ctx context.Context, m message.Message) (Receipt, error) {
	if c.scheme == nil {
		return Receipt{}, errNoSecret
	}
	body, err := marshal(m)
	if err != nil {
		return Receipt{}, fmt.Errorf("client: the message has no JSON: %w", err)
	}
	header := http.Header{"Content-Type": {contract.TypeJSON}}
	header.Set(signature.HexHMACHeader, c.scheme.Sign(body))
	return c.Deliver(ctx, contract.PathWebhook, header, body)
}

// Deliver posts a body that is signed already, as any of the sources signs, and
// repeats it as Send does.
func (c *Client) Deliver(ctx context.Context, path string, header http.Header, body []byte) (Receipt, error) {
	a, err := c.do(ctx, request{method: http.MethodPost, path: path, header: header, body: body})
	if err != nil {
		return Receipt{Attempts: a.attempts}, err
	}
	seq, _ := strconv.ParseUint(a.header.Get(contract.HeaderStreamSequence), 10, 64)
	c.raise(seq)
	return Receipt{Sequence: seq, RequestID: a.header.Get(contract.HeaderRequestID), Attempts: a.attempts}, nil
}

func (c *Client) raise(seq uint64) {
	for {
		highest := c.sent.Load()
		if seq <= highest || c.sent.CompareAndSwap(highest, seq) {
			return
		}
	}
}

// marshal writes a message as /webhook takes it.
func marshal(m message.Message) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(contract.NewMessage(&m)); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func newBody(body []byte) io.Reader {
	if body == nil {
		return nil
	}
	return bytes.NewReader(body)
}
