package message

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Status is what a sender tells of a message's way: that it was sent, delivered,
// read, or could not be. It may come before the message, and without one.
type Status struct {
	MessageID string          // of the message
	Status    string          // in the sender's words: "sent", "delivered", "read", "failed", …
	TS        string          // RFC 3339 in UTC, empty when the sender gave none
	Recipient string          // whom it is about: "+" and digits, the sender's words, or empty
	Raw       json.RawMessage // what the sender sent, as Message.Raw
}

// Unknown is a part of a delivery that this program cannot read. It is kept in
// the stream, and from there as a dead letter, for a program that can.
type Unknown struct {
	Reason string          // why it cannot be read
	Raw    json.RawMessage // what the sender sent, as Message.Raw
}

// maxStatusBytes bounds Status.Status and Status.Recipient.
const maxStatusBytes = 256

// Validate returns every rule that s breaks, nil when s is valid.
func (s *Status) Validate() InvalidErrors {
	var errs InvalidErrors
	errs.add(validateID(s.MessageID))
	for _, f := range []struct{ name, value string }{{"status", s.Status}, {"recipient", s.Recipient}} {
		switch {
		case f.value == "" && f.name == "status":
			errs.add(&InvalidError{Field: f.name, Code: CodeTooShort, Reason: "must not be empty"})
		case len(f.value) > maxStatusBytes:
			errs.add(&InvalidError{Field: f.name, Code: CodeTooLong, Reason: "must have at most 256 bytes"})
		case !utf8.ValidString(f.value):
			errs.add(&InvalidError{Field: f.name, Code: CodeUnicode, Reason: "must be valid UTF-8"})
		}
	}
	if s.TS != "" {
		errs.add(validateTS(s.TS))
	}
	return errs
}

// SameEvent reports whether a and b tell the same of the same message: Raw does
// not count.
func (s *Status) SameEvent(b *Status) bool {
	return s.MessageID == b.MessageID && s.Status == b.Status && s.TS == b.TS && s.Recipient == b.Recipient
}

// MsgID returns the Nats-Msg-Id of a source's status: the same for the same event,
// and never that of a message. (A digest, since four fields could be too long for
// a header.)
func (s *Status) MsgID(source string) string {
	parts := []string{s.MessageID, s.Status, s.TS, s.Recipient}
	for i := range parts {
		parts[i] = HeaderID(parts[i]) // has no line ends
	}
	return "%" + source + ".status:" + digest(strings.Join(parts, "\n"))
}

// MsgID returns the Nats-Msg-Id of what a source sent: the same for the same bytes.
func (u *Unknown) MsgID(source string) string {
	return "%" + source + ".unknown:" + digest(string(u.Raw))
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// otherPayload is the payload of what is no message. Programs that know messages
// only refuse its version.
type otherPayload struct {
	Version int    `json:"v"`
	Kind    string `json:"kind"`

	MessageID string `json:"message_id,omitempty"`
	Status    string `json:"status,omitempty"`
	TS        string `json:"ts,omitempty"`
	Recipient string `json:"recipient,omitempty"`

	Reason string `json:"reason,omitempty"`

	Raw json.RawMessage `json:"raw,omitempty"`
}

const (
	otherVersion = 2
	kindStatus   = "status"
	kindUnknown  = "unknown"
)

// ErrIsStatus is returned by Unmarshal for the payload of a status.
var ErrIsStatus = errors.New("the payload is a status")

// MarshalStatus writes the stream's payload of a valid status.
func MarshalStatus(s *Status) ([]byte, error) {
	data, err := encode(otherPayload{Version: otherVersion, Kind: kindStatus,
		MessageID: s.MessageID, Status: s.Status, TS: s.TS, Recipient: s.Recipient, Raw: s.Raw})
	if err != nil {
		return nil, fmt.Errorf("marshal status: %w", err)
	}
	return data, nil
}

// MarshalUnknown writes the stream's payload of what nobody could read.
func MarshalUnknown(u *Unknown) ([]byte, error) {
	data, err := encode(otherPayload{Version: otherVersion, Kind: kindUnknown, Reason: u.Reason, Raw: u.Raw})
	if err != nil {
		return nil, fmt.Errorf("marshal an unknown part: %w", err)
	}
	return data, nil
}

// UnmarshalStatus reads a stream's payload of a status. The error says why the
// bytes can never be applied.
func UnmarshalStatus(data []byte) (Status, error) {
	var p otherPayload
	if decode(data, &p) != nil || p.Version != otherVersion || p.Kind != kindStatus {
		return Status{}, fmt.Errorf("payload is not a status")
	}
	s := Status{MessageID: p.MessageID, Status: p.Status, TS: p.TS, Recipient: p.Recipient, Raw: p.Raw}
	if errs := s.Validate(); errs != nil {
		return Status{}, errs
	}
	return s, nil
}

// whyNotMessage tells why a payload of another version than a message's is none.
func whyNotMessage(version int, data []byte) error {
	if version == otherVersion {
		var p otherPayload
		switch err := decode(data, &p); {
		case err != nil:
			return fmt.Errorf("payload is not what its version says: %w", err)
		case p.Kind == kindStatus:
			return ErrIsStatus
		case p.Kind == kindUnknown:
			return fmt.Errorf("this program cannot read what the sender sent: %s", p.Reason)
		}
		return fmt.Errorf("payload is a %q, which this program does not know", p.Kind)
	}
	return fmt.Errorf("payload has version %d, this program reads up to %d", version, otherVersion)
}
