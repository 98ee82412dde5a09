package source

import (
	"sluice/pkg/signature"
)

// StandardName is the name of the source of Standard Webhooks.
const StandardName = "standard"

// Standard is the plain body in the envelope of Standard Webhooks.
type Standard struct{ rotating }

// NewStandard returns the source under keys as signature.NewStandard takes them.
// The error is signature.ErrStandardKey.
func NewStandard(s Secrets) (*Standard, error) {
	var st Standard
	return &st, st.Rotate(s)
}

// Name is part of Source.
func (st *Standard) Name() string { return StandardName }

// Rotate is part of Source.
func (st *Standard) Rotate(s Secrets) error {
	scheme, err := signature.NewStandard(s.Current, s.Previous)
	if err == nil {
		st.use(scheme)
	}
	return err
}

// Read is part of Source; see Plain.
func (st *Standard) Read(d Delivery) (Content, error) { return readPlain(d.Body) }
