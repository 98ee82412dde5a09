package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nuid"

	"sluice/internal/source"
	"sluice/pkg/contract"
	"sluice/pkg/signature"
)

// dialect is how a kind of sender writes a message and signs a body.
type dialect struct {
	path      string
	mediaType string
	text      func(m contract.Message) ([]byte, error)
	sign      func(body []byte, h http.Header)
}

// dialect returns that of a source, for an api at a URL. The error names the
// variable that is missing.
func (s *sendSettings) dialect(name, api string) (dialect, error) {
	switch name {
	case source.PlainName:
		scheme := signature.NewHexHMAC(s.WebhookSecret)
		return dialect{contract.PathWebhook, contract.TypeJSON, plainText, func(body []byte, h http.Header) {
			h.Set(signature.HexHMACHeader, scheme.Sign(body))
		}}, needs("WEBHOOK_SECRET", s.WebhookSecret)
	case source.WhatsAppName:
		scheme := signature.NewHubSHA256(s.WhatsAppSecret)
		return dialect{contract.PathWebhook + "/" + name, contract.TypeJSON, whatsappText, func(body []byte, h http.Header) {
			h.Set(signature.HubSHA256Header, scheme.Sign(body))
		}}, needs("WHATSAPP_APP_SECRET", s.WhatsAppSecret)
	case source.TwilioName:
		if s.PublicURL != "" {
			api = s.PublicURL
		}
		scheme := signature.NewTwilio(twilioURLs(api), s.TwilioToken)
		return dialect{contract.PathWebhook + "/" + name, "application/x-www-form-urlencoded", twilioText, func(body []byte, h http.Header) {
			h.Set(signature.TwilioHeader, scheme.Sign("", body))
		}}, needs("TWILIO_AUTH_TOKEN", s.TwilioToken)
	case source.StandardName:
		scheme, err := signature.NewStandard(s.StandardSecret)
		if err != nil {
			return dialect{}, fmt.Errorf("STANDARD_WEBHOOKS_SECRET: %w", err)
		}
		if s.StandardSecret != "" && !scheme.Signs() {
			return dialect{}, errors.New("STANDARD_WEBHOOKS_SECRET: it takes a whsec_… to sign, and there are public keys only")
		}
		return dialect{contract.PathWebhook + "/" + name, contract.TypeJSON, plainText, func(body []byte, h http.Header) {
			id, now := "msg_"+nuid.Next(), time.Now()
			h.Set(signature.StandardIDHeader, id)
			h.Set(signature.StandardTimestampHeader, strconv.FormatInt(now.Unix(), 10))
			h.Set(signature.StandardSignatureHeader, scheme.Sign(id, now, body))
		}}, needs("STANDARD_WEBHOOKS_SECRET", s.StandardSecret)
	}
	return dialect{}, fmt.Errorf("-as is plain, whatsapp, twilio or standard; %w", errUsage)
}

func needs(variable, value string) error {
	if value == "" {
		return fmt.Errorf("%s must be set, or %s_FILE to a file that holds it", variable, variable)
	}
	return nil
}

// header returns the header of a signed body.
func (d *dialect) header(body []byte) http.Header {
	h := http.Header{"Content-Type": {d.mediaType}}
	d.sign(body, h)
	return h
}

func plainText(m contract.Message) ([]byte, error) { return json.Marshal(m) }

// whatsappText writes a delivery of one text, as Meta does.
func whatsappText(m contract.Message) ([]byte, error) {
	sent, err := time.Parse(time.RFC3339Nano, m.TS)
	if err != nil {
		return nil, fmt.Errorf("-ts: %w", err)
	}
	type object map[string]any
	from := strings.TrimPrefix(m.From, "+")
	value := object{
		"messaging_product": "whatsapp",
		"metadata":          object{"display_phone_number": strings.TrimPrefix(m.To, "+"), "phone_number_id": "1"},
		"contacts":          []object{{"profile": object{"name": "api send"}, "wa_id": from}},
		"messages": []object{{"from": from, "id": m.ID, "timestamp": strconv.FormatInt(sent.Unix(), 10),
			"type": "text", "text": object{"body": m.Text}}},
	}
	return json.Marshal(object{"object": "whatsapp_business_account",
		"entry": []object{{"id": "1", "changes": []object{{"field": "messages", "value": value}}}}})
}

// twilioText writes the form of an SMS that came in, as Twilio does.
func twilioText(m contract.Message) ([]byte, error) {
	return []byte(url.Values{
		"MessageSid": {m.ID}, "AccountSid": {"AC1"}, "From": {m.From}, "To": {m.To}, "Body": {*m.Text},
		"NumMedia": {"0"}, "SmsStatus": {"received"},
	}.Encode()), nil
}
