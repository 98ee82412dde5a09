package load

import (
	"bytes"
	"encoding/json"
	"strconv"

	"sluice/pkg/message"
	"sluice/pkg/signature"
)

// Body returns the JSON that a sender of the plain source posts.
func Body(m message.Message) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(struct {
		ID   string  `json:"message_id"`
		From string  `json:"from"`
		To   string  `json:"to"`
		TS   string  `json:"ts"`
		Text *string `json:"text,omitempty"`
	}{m.ID, m.From, m.To, m.TS, m.Text})
	if err != nil {
		panic("load: strings always encode: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// signer makes signed HTTP requests.
type signer struct {
	host   string
	scheme *signature.HexHMAC
}

// request returns the bytes of a whole request: head and body.
func (s *signer) request(body []byte) []byte {
	b := make([]byte, 0, 200+len(s.host)+len(body))
	b = append(b, "POST /webhook HTTP/1.1\r\nHost: "...)
	b = append(b, s.host...)
	b = append(b, "\r\nContent-Type: application/json\r\nX-Signature: "...)
	b = append(b, s.scheme.Sign(body)...)
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	return append(b, body...)
}
