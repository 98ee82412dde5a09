// Package message is the domain: what a message is, when it is valid, and its
// bytes on the stream. It knows no I/O, no HTTP, no NATS and no SQL; every
// other package meets in the types declared here.
package message

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of a message's fields.
const (
	MaxIDBytes        = 1024 // message_id, in bytes of UTF-8
	MaxTextCharacters = 4096 // text, in Unicode code points
	maxMSISDNDigits   = 15   // ITU-T E.164, section 6
	maxTSFraction     = 9    // digits after the point: nanoseconds
)

// Message is one message as its sender described it. The zero value is not
// valid; Validate tells what a valid one looks like.
type Message struct {
	ID   string  // unique for ever: ids that differ in any byte are different messages
	From string  // the sender's number, "+" and 1 to 15 digits
	To   string  // the recipient's number, as From
	TS   string  // when it was sent: RFC 3339 in UTC, kept as the sender wrote it
	Text *string // nil when the sender gave none

	// Raw is what the sender sent, as JSON: an object, or a string where its words
	// were not JSON. It is nil when the fields above say all of it.
	Raw json.RawMessage
}

// Validate returns every rule that m breaks, nil when m is valid.
func (m *Message) Validate() InvalidErrors {
	var errs InvalidErrors
	errs.add(validateID(m.ID))
	errs.add(validateMSISDN("from", m.From))
	errs.add(validateMSISDN("to", m.To))
	errs.add(validateTS(m.TS))
	if m.Text != nil {
		errs.add(validateText(*m.Text))
	}
	return errs
}

// SameContent reports whether a and b say the same, byte for byte: a repeat of
// an id whose content differs is a conflict. Raw does not count: senders write the
// same message in more than one way.
func (m *Message) SameContent(b *Message) bool {
	if m.ID != b.ID || m.From != b.From || m.To != b.To || m.TS != b.TS {
		return false
	}
	if m.Text == nil || b.Text == nil {
		return m.Text == b.Text
	}
	return *m.Text == *b.Text
}

// Instant returns TS as a point in time. It is only meaningful on a valid
// message; a TS that does not parse gives the zero time.
func (m *Message) Instant() time.Time {
	t, _ := ParseInstant(m.TS)
	return t
}

// ParseInstant reads an RFC 3339 instant in UTC: "2006-01-02T15:04:05Z" with up
// to nine fraction digits, a real calendar date, and nothing else. It is
// stricter than time.Parse, which also takes offsets and a comma.
func ParseInstant(s string) (time.Time, bool) {
	const whole = len("2006-01-02T15:04:05")
	if len(s) <= whole || s[len(s)-1] != 'Z' {
		return time.Time{}, false
	}
	if fraction := s[whole : len(s)-1]; fraction != "" {
		if fraction[0] != '.' || !isDigits(fraction[1:], maxTSFraction) {
			return time.Time{}, false
		}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	return t, err == nil
}

// ValidMSISDN reports whether s is "+" and 1 to 15 ASCII digits.
func ValidMSISDN(s string) bool {
	return strings.HasPrefix(s, "+") && isDigits(s[1:], maxMSISDNDigits)
}

func isDigits(s string, most int) bool {
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func validateID(id string) *InvalidError {
	switch {
	case id == "":
		return &InvalidError{Field: "message_id", Code: CodeTooShort, Reason: "must not be empty"}
	case len(id) > MaxIDBytes:
		return &InvalidError{Field: "message_id", Code: CodeTooLong, Reason: "must have at most 1024 bytes"}
	case !utf8.ValidString(id):
		return &InvalidError{Field: "message_id", Code: CodeUnicode, Reason: "must be valid UTF-8"}
	}
	return nil
}

func validateMSISDN(field, s string) *InvalidError {
	if !ValidMSISDN(s) {
		return &InvalidError{Field: field, Code: CodePattern, Reason: "must be + followed by 1 to 15 digits"}
	}
	return nil
}

func validateTS(ts string) *InvalidError {
	if _, ok := ParseInstant(ts); !ok {
		return &InvalidError{Field: "ts", Code: CodeDatetime,
			Reason: "must be an RFC 3339 instant in UTC such as 2025-01-15T10:00:00Z, with at most 9 fraction digits"}
	}
	return nil
}

func validateText(text string) *InvalidError {
	switch {
	case !utf8.ValidString(text):
		return &InvalidError{Field: "text", Code: CodeUnicode, Reason: "must be valid UTF-8"}
	case len(text) > MaxTextCharacters && utf8.RuneCountInString(text) > MaxTextCharacters:
		return &InvalidError{Field: "text", Code: CodeTooLong, Reason: "must have at most 4096 characters"}
	}
	return nil
}
