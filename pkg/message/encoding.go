package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// payload is a message's bytes on the stream: JSON, so that the nats tool shows
// it, and everything that a rebuild needs. A reader ignores members it does not
// know, so an older writer applies what a newer api published.
type payload struct {
	Version int     `json:"v"`
	ID      string  `json:"message_id"`
	From    string  `json:"from"`
	To      string  `json:"to"`
	TS      string  `json:"ts"`
	Text    *string `json:"text"`

	Raw json.RawMessage `json:"raw,omitempty"`
}

// payloadVersion changes only when an older reader would misread the bytes. An
// older reader refuses a newer version, and so keeps it as a dead letter until a
// program comes that reads it.
const payloadVersion = 1

// Marshal writes the stream's payload of a valid message. Equal messages give
// equal bytes.
func Marshal(m *Message) ([]byte, error) {
	data, err := encode(payload{payloadVersion, m.ID, m.From, m.To, m.TS, m.Text, m.Raw})
	if err != nil {
		return nil, fmt.Errorf("marshal message: %w", err)
	}
	return data, nil
}

// encoder writes one payload after the other, each behind a Reset.
type encoder struct {
	bytes.Buffer
	json *json.Encoder
}

var encoders = sync.Pool{New: func() any {
	e := &encoder{}
	e.json = json.NewEncoder(e)
	e.json.SetEscapeHTML(false)
	return e
}}

func encode(payload any) ([]byte, error) {
	e := encoders.Get().(*encoder)
	e.Reset()
	if err := e.json.Encode(payload); err != nil {
		return nil, err // and e, which keeps the error, is not used again
	}
	data := bytes.Clone(bytes.TrimSuffix(e.Bytes(), []byte("\n")))
	if e.Cap() <= maxKeptBytes {
		encoders.Put(e)
	}
	return data, nil
}

// maxKeptBytes is how much an encoder may keep between two payloads.
const maxKeptBytes = 64 << 10

// decode reads a payload, in a third of the time that encoding/json takes: that was
// an eighth of what a writer does for a row. It takes what that takes, so that no
// version of the program reads an entry as another one: of a repeated member the last
// counts, and half a surrogate pair, as a sender's raw may have it, is U+FFFD.
func decode(data []byte, payload any) error {
	if !utf8.Valid(data) {
		return errors.New("it is not valid UTF-8")
	}
	return jsonv2.Unmarshal(data, payload, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// Unmarshal reads a stream's payload of a message. ErrIsStatus means that it is
// one for UnmarshalStatus. Any other error says why the bytes can never be
// applied: not the payload of a message, a version this program does not know,
// or an invalid message (InvalidErrors).
func Unmarshal(data []byte) (Message, error) {
	var p payload
	if err := decode(data, &p); err != nil {
		return Message{}, fmt.Errorf("payload is not a message: %w", err)
	}
	if p.Version != payloadVersion {
		return Message{}, whyNotMessage(p.Version, data)
	}
	m := Message{ID: p.ID, From: p.From, To: p.To, TS: p.TS, Text: p.Text, Raw: p.Raw}
	if errs := m.Validate(); errs != nil {
		return Message{}, errs
	}
	return m, nil
}

// MsgID returns the Nats-Msg-Id of a source's message. The plain source has the
// bare id; the others put their name before it, so that ids of two senders never
// hide one another in the dedup window. No id becomes another's: HeaderID writes
// no lower-case letter behind "%".
func MsgID(source, id string) string {
	if source == PlainSource {
		return HeaderID(id)
	}
	return "%" + source + ":" + HeaderID(id)
}

// HeaderID encodes an id for the Nats-Msg-Id header, which cannot hold line
// ends and loses blanks at either end. Visible ASCII but "%" stands for itself;
// every other byte becomes %XX. Two ids never become one: the encoding can be
// undone.
func HeaderID(id string) string {
	const hex = "0123456789ABCDEF"
	plain := func(c byte) bool { return c > ' ' && c < 0x7f && c != '%' }

	escapes := 0
	for i := range len(id) {
		if !plain(id[i]) {
			escapes++
		}
	}
	if escapes == 0 {
		return id
	}
	b := make([]byte, 0, len(id)+2*escapes)
	for i := range len(id) {
		if c := id[i]; plain(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}
