package source

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"sluice/pkg/message"
	"sluice/pkg/signature"
)

// TwilioName is the name of the source of Twilio.
const TwilioName = "twilio"

// Twilio is Twilio's Programmable Messaging: a delivery is a form, or a JSON object
// with the same members, which is one message that came in or the status of one
// that went out. (Twilio's documentation: "Messaging webhooks".)
type Twilio struct {
	rotating
	urls []string
}

// NewTwilio returns the source for an api that Twilio reaches by one of the URLs,
// under the auth token.
func NewTwilio(urls []string, s Secrets) *Twilio {
	t := &Twilio{urls: urls}
	_ = t.Rotate(s) // never fails
	return t
}

// Name is part of Source.
func (t *Twilio) Name() string { return TwilioName }

// Rotate is part of Source.
func (t *Twilio) Rotate(s Secrets) error {
	t.use(signature.NewTwilio(t.urls, s.Current, s.Previous))
	return nil
}

// Answer is part of Answerer: instructions to do nothing, in Twilio's language.
func (t *Twilio) Answer() (mediaType, body string) {
	return "text/xml; charset=utf-8", `<?xml version="1.0" encoding="UTF-8"?><Response/>`
}

// twilioParams are what a delivery says, and the same as JSON.
type twilioParams struct {
	get func(name string) string
	raw json.RawMessage
}

// Read is part of Source. What has no id of a message is an error: it belongs to
// another of Twilio's products. What has one is kept, even if it is no message.
//
// Twilio does not say when a message was sent: its ts is when it came.
func (t *Twilio) Read(d Delivery) (c Content, err error) {
	var p twilioParams
	if signature.TwilioDigestOf(d.Target) != "" {
		p, err = twilioJSON(d.Body)
	} else {
		p = twilioForm(d.Body)
	}
	if err != nil {
		return c, err
	}
	id := firstOf(p.get, "MessageSid", "SmsMessageSid", "SmsSid")
	if id == "" {
		return c, message.InvalidErrors{{Field: "MessageSid", Code: message.CodeMissing, Reason: "is missing"}}
	}
	if status := p.status(); status != "" {
		p.addStatus(&c, message.Status{MessageID: id, Status: status, Recipient: p.number("To"), Raw: p.raw})
		return c, nil
	}
	m := message.Message{ID: id, From: p.number("From"), To: p.number("To"), TS: d.At.UTC().Format("2006-01-02T15:04:05.000Z"), Raw: p.raw}
	if text := strings.ToValidUTF8(p.get("Body"), "\uFFFD"); text != "" {
		m.Text = shortened(text)
	}
	if errs := m.Validate(); errs != nil {
		c.addUnknown(errs.Error(), p.raw)
		return c, nil
	}
	c.Messages = []message.Message{m}
	return c, nil
}

func (p *twilioParams) addStatus(c *Content, s message.Status) {
	if errs := s.Validate(); errs != nil {
		c.addUnknown("a status that is none: "+errs.Error(), s.Raw)
		return
	}
	c.Statuses = []message.Status{s}
}

// status returns how far a message has come that went out, empty for one that came
// in. Either parameter may tell it, and either says "received" of what came in.
// (Twilio's documentation: "Message status values", "Outbound message status in
// status callbacks".)
func (p *twilioParams) status() string {
	switch status := firstOf(p.get, "MessageStatus", "SmsStatus"); status {
	case "receiving", "received":
		return ""
	default:
		return status
	}
}

// number returns a number without the channel that Twilio may put before it.
func (p *twilioParams) number(name string) string {
	return msisdn(strings.TrimPrefix(p.get(name), "whatsapp:"))
}

// twilioForm reads a form, which is sound: it was read to verify it.
func twilioForm(body []byte) twilioParams {
	form, _ := url.ParseQuery(string(body))
	all := make(map[string]any, len(form))
	for name, values := range form {
		all[name] = values
		if len(values) == 1 {
			all[name] = values[0]
		}
	}
	raw, _ := json.Marshal(all) // texts have JSON
	return twilioParams{form.Get, raw}
}

func twilioJSON(body []byte) (twilioParams, error) {
	p := newParts([]byte(strings.ToValidUTF8(string(body), "\uFFFD")))
	raw, err := p.value()
	if err == nil {
		err = p.end()
	}
	if err != nil {
		return twilioParams{}, message.InvalidErrors{{Code: message.CodeJSON, Reason: whyNotJSON(err)}}
	}
	if raw.Kind() != jsontext.KindBeginObject {
		return twilioParams{}, message.InvalidErrors{{Code: message.CodeObjectType, Reason: "must be a JSON object"}}
	}
	return twilioParams{membersOf(raw).text, json.RawMessage(raw)}, nil
}
