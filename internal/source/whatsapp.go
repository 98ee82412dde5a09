package source

import (
	"crypto/sha256"
	"crypto/subtle"
	"sync/atomic"

	"sluice/pkg/signature"
)

// WhatsAppName is the name of the source of Meta's WhatsApp Cloud API.
const WhatsAppName = "whatsapp"

// WhatsApp is Meta's WhatsApp Cloud API. A delivery holds entries, of which each
// holds changes, of which each holds messages and statuses, up to a thousand in
// all. (Meta's documentation of the Cloud API: "Webhooks", "Components".)
//
// Nothing that Meta signs is refused: it would come again for days and then be
// lost. What cannot be read is kept as it is.
type WhatsApp struct {
	rotating
	verifyToken atomic.Pointer[[sha256.Size]byte]
}

// NewWhatsApp returns the source under the app secret and the verify token.
func NewWhatsApp(s Secrets) *WhatsApp {
	var w WhatsApp
	_ = w.Rotate(s) // never fails
	return &w
}

// Name is part of Source.
func (w *WhatsApp) Name() string { return WhatsAppName }

// Rotate is part of Source.
func (w *WhatsApp) Rotate(s Secrets) error {
	w.use(signature.NewHubSHA256(s.Current, s.Previous))
	digest := sha256.Sum256([]byte(s.VerifyToken))
	if s.VerifyToken == "" {
		w.verifyToken.Store(nil)
	} else {
		w.verifyToken.Store(&digest)
	}
	return nil
}

// Handshake is part of Handshaker. Meta asks it when somebody enters this api's
// URL and the verify token ("Webhooks", "Getting started", "Verification
// requests"); the answer is its challenge.
func (w *WhatsApp) Handshake(query func(string) string) (answer string, ok bool) {
	want := w.verifyToken.Load()
	got := sha256.Sum256([]byte(query("hub.verify_token"))) // so that not even its length shows
	if want == nil || subtle.ConstantTimeCompare(got[:], want[:]) != 1 || query("hub.mode") != "subscribe" {
		return "", false
	}
	return query("hub.challenge"), true
}

// Read is part of Source. It never fails.
func (w *WhatsApp) Read(d Delivery) (Content, error) { return readWhatsApp(d.Body), nil }
