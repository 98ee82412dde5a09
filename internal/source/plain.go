package source

import (
	"sluice/pkg/message"
	"sluice/pkg/signature"
)

// PlainName is the name of the plain source.
const PlainName = message.PlainSource

// Plain is the plain source: a delivery is one JSON object, which is one message.
type Plain struct{ rotating }

// NewPlain returns the plain source. It is signed with the current secret, or one
// that senders may still use while they rotate, in X-Signature or in its place in
// X-Hub-Signature-256.
func NewPlain(s Secrets) *Plain {
	var p Plain
	_ = p.Rotate(s) // never fails
	return &p
}

// Name is part of Source.
func (p *Plain) Name() string { return PlainName }

// Rotate is part of Source.
func (p *Plain) Rotate(s Secrets) error {
	p.use(signature.FirstOf{
		signature.NewHexHMAC(s.Current, s.Previous),
		signature.NewHubSHA256(s.Current, s.Previous),
	})
	return nil
}

// Read is part of Source. Every broken field is listed, in the order of the
// fields, then what is wrong elsewhere in the body. Members that are no fields are
// ignored as long as they are sound JSON.
func (p *Plain) Read(d Delivery) (Content, error) { return readPlain(d.Body) }

func readPlain(body []byte) (Content, error) {
	d := decoders.Get().(*decoder)
	defer d.release()

	var fs fields
	if err := d.object(body, &fs); err != nil {
		return Content{}, message.InvalidErrors{err}
	}
	m, errs := fs.message()
	if errs != nil {
		return Content{Messages: named(m.ID, errs)}, errs
	}
	return Content{Messages: []message.Message{m}}, nil
}

// named returns a message that has nothing but its id, none when the id is among
// the errors.
func named(id string, errs message.InvalidErrors) []message.Message {
	for _, e := range errs {
		if e.Field == fieldNames[fieldID] {
			return nil
		}
	}
	return []message.Message{{ID: id}}
}
